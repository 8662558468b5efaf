import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  entriesDdl,
  entriesMigration,
  releasedEntriesDdl,
} from '../../../sinks/store/migrations/0001-entries.ts';
import { SINGLE } from '../../../sinks/store/migrations/migration.ts';
import { DEFINED_TABLES, readDefinition } from '../../../sinks/store/schema-definition.ts';
import { createFindingLog } from '../../../sinks/store/verify-report.ts';
import { checkSchema } from '../../../sinks/store/verify-schema.ts';
import { verifies } from '../../requirements.ts';
import { rowsOf, startStore, type StoreHarness } from './ledger-harness.ts';

const CLUSTER = { cluster: 'replicas' };
const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
let harness: StoreHarness;
beforeAll(async () => {
  harness = await startStore();
});
afterAll(() => harness.close());

async function columns(ddl: string): Promise<string[]> {
  const [[text] = []] = await rowsOf(harness.store(), `SELECT formatQuery(${literal(ddl)})`);
  return String(text)
    .split('\n')
    .filter((line) => line.startsWith('    '));
}

describe('the two variants of the table', () => {
  test('that of one engine is what version 1 was released with, byte for byte', () => {
    verifies('P4');
    expect(createHash('sha256').update(releasedEntriesDdl(SINGLE)).digest('hex')).toBe(
      '9ac1011232a671a623b083dea930ed3f4b73b4d3913811979062da8927ca7d86',
    );
  });

  test('have the same columns and constraints, and differ in the engine and its deduplication', async () => {
    expect(await columns(entriesDdl(CLUSTER))).toEqual(await columns(entriesDdl(SINGLE)));
    const [single, cluster] = [SINGLE, CLUSTER].map((variant) => entriesDdl(variant).split('\n'));
    const changed = cluster?.filter((line) => single?.includes(line) === false);
    expect(changed).toHaveLength(2);
    expect(changed?.[0]).toBe(
      "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')",
    );
    expect(changed?.[1]).toContain('replicated_deduplication_window_seconds = 604800');
  });

  test.each([['replicas'], ['{cluster}'], ['a.b-c_1']])(
    'every statement for the cluster %s is SQL',
    async (cluster) => {
      for (const statement of entriesMigration.statements({ cluster })) {
        const [[text] = []] = await rowsOf(
          harness.store(),
          `SELECT formatQuerySingleLine(${literal(statement)})`,
        );
        expect(text).toContain(`ON CLUSTER ${/^[a-z]+$/.test(cluster) ? cluster : `\`${cluster}\``}`);
      }
    },
  );

  test('verification holds a table against the variant in force', async () => {
    verifies('P4');
    expect(await readDefinition(harness.store().raw, SINGLE)).toEqual({ state: 'equal' });
    const findings = createFindingLog();
    await checkSchema(harness.store().raw, CLUSTER, findings);
    expect(findings.first).toEqual(
      Object.keys(DEFINED_TABLES).map((table) =>
        expect.objectContaining({
          cause: 'SCHEMA_FINGERPRINT',
          log: `custody.${table}`,
          detail: 'the definition is not the one this version makes: engine',
        }),
      ),
    );
    expect(findings.verdict()).toBe('invalid');
  });
});
