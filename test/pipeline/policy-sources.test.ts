import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAlarms, type Alarms } from '../../pipeline/alarms.ts';
import { createPolicyDocuments } from '../../pipeline/policy-documents.ts';
import { policySources } from '../../pipeline/policy-sources.ts';
import { createLogger } from '../../runtime/logger.ts';
import { configSchema } from '../../schemas/config.ts';

let directory: string;
let alarms: Alarms;
const inside = (name: string) => join(directory, name);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'custody-sources-'));
  alarms = createAlarms(() => undefined);
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const documentsOf = (config: Record<string, unknown>) =>
  createPolicyDocuments({
    sources: policySources(configSchema.parse(config)),
    intervalMs: 60_000,
    alarms,
    logger: createLogger({ level: 'silent' }),
  });

const rule = (id: string, condition = 'true') =>
  JSON.stringify({
    id,
    title: 'Title',
    version: 1,
    description: 'Text',
    severity: 'low',
    maturity: 'test',
    match: { condition },
    alert: { reason: 'reason' },
  });
const typesOf = (documents: ReturnType<typeof documentsOf>) => documents.wanted().map(({ type }) => type);

test('registry, rules and suppressions are wanted as three documents', async () => {
  writeFileSync(inside('registry.yaml'), 'version: 1\n');
  writeFileSync(inside('one.yaml'), rule('one'));
  writeFileSync(
    inside('quiet.yml'),
    JSON.stringify([{ id: 'quiet', reason: 'known', expires: '2099-01-01', match: { tool: 't' } }]),
  );
  const documents = documentsOf({
    registry: { file: inside('registry.yaml') },
    rules: { dirs: [inside('one.yaml')], suppressions_file: inside('quiet.yml') },
  });
  await documents.refresh();
  expect(alarms.active).toEqual([]);
  expect(typesOf(documents)).toEqual(['registry', 'rules', 'suppressions']);
  expect(JSON.parse(documents.wanted()[1]!.document)).toMatchObject({ rules: [{ id: 'one' }] });
});

test('a rule that is wrong keeps the whole set as it was, and a new file is noticed', async () => {
  writeFileSync(inside('one.yaml'), rule('one'));
  const documents = documentsOf({ rules: { dirs: [directory] } });
  await documents.refresh();
  const [before] = documents.wanted();
  writeFileSync(inside('two.yaml'), rule('two', 'no such ('));
  await documents.refresh();
  expect(documents.wanted()).toEqual([before]);
  expect(alarms.active[0]?.message).toMatch(/^cannot use rules: .*two\.yaml/);
  writeFileSync(inside('two.yaml'), rule('two'));
  await documents.refresh();
  expect(alarms.active).toEqual([]);
  expect(JSON.parse(documents.wanted()[0]!.document).rules).toHaveLength(2);
});

test('a directory that is not there is told, and nothing is wanted', async () => {
  const documents = documentsOf({ rules: { dirs: [inside('nowhere')] } });
  await documents.refresh();
  expect(typesOf(documents)).toEqual([]);
  expect(alarms.active[0]?.message).toMatch(/cannot read rules .*nowhere: ENOENT/);
});

test('nothing is wanted where nothing is configured', async () => {
  const documents = documentsOf({ rules: { dirs: [] } });
  await documents.refresh();
  expect(typesOf(documents)).toEqual([]);
});
