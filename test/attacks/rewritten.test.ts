import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlaces, TAIL_MAX_ROWS } from '../../sinks/store/verify-places.ts';
import { comparePartitions } from '../../sinks/store/verify-partitions.ts';
import { createFindingLog } from '../../sinks/store/verify-report.ts';
import type { EmbeddedLog } from '../../streams/embedded/open-log.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { forgedInsert, inventedPlaces, rewrittenFrom } from './forge.ts';
import { DEPLOYMENT, type Ledger, writeLedger } from './ledger-fixture.ts';

let ledger: Ledger;
let acme: string;
beforeAll(async () => {
  ledger = await writeLedger();
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

const located = (cause: string, log: string, seq: string | null) =>
  expect.objectContaining({ cause, log, seq }) as unknown;

test('a log rewritten from the middle with every later hash recomputed differs from its head', async () => {
  verifies('P4');
  const { sql, head } = await rewrittenFrom(ledger, acme, 7);
  const report = await ledger.attack(sql);
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toEqual([located('HEAD_MISMATCH', acme, head.seq)]);
  attack(5, 'process', 'HEAD_MISMATCH');
});

test('a log rewritten together with its head is found by a rebuild, at the first changed entry', async () => {
  verifies('P4');
  const { sql, head } = await rewrittenFrom(ledger, acme, 7);
  const onLog = async ({ state }: EmbeddedLog) => {
    const value = Buffer.from(JSON.stringify(head));
    for await (const { name } of state.entries('ledger/')) {
      if (name.endsWith(acme)) await state.write([{ name, value }]);
    }
  };
  const report = await ledger.attack(sql, { onLog, rebuild: true });
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toEqual([located('REPAIR_DIFF', acme, '7')]);
  attack(5, 'process', 'REPAIR_DIFF');
});

test.each([
  ['of an unknown tenant', (log: string) => log.replace('/acme/', '/initech/')],
  ['of an unknown topic', () => `${DEPLOYMENT}/acme/elsewhere-0/0`],
  ['of another epoch', (log: string) => log.replace(/0$/, '1')],
  ['of another deployment', (log: string) => log.replace(DEPLOYMENT, 'elsewhere')],
])('an invented log %s, all its hashes right, is named', async (_title, rename) => {
  verifies('P4');
  const log = rename(acme);
  const report = await ledger.attack(forgedInsert(log, inventedPlaces(log, 5)).sql);
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toEqual([located('UNKNOWN_LOG', log, '0')]);
  attack(28, 'process', 'UNKNOWN_LOG');
});

test('an invented log is not accepted where there are no records to hold it against', async () => {
  verifies('P4');
  const log = acme.replace('/acme/', '/initech/');
  const { sql } = forgedInsert(log, inventedPlaces(log, 5));
  const report = await ledger.attack(sql, { topics: undefined });
  expect(report.verdict).toBe('undecidable');
  expect(report.findings.map(({ cause }) => cause)).toEqual(['READ_ERROR']);
});

test('more invented entries than can be remembered still give no valid verdict', async () => {
  verifies('P4');
  const places = createPlaces({ expected: new Map(), starts: new Map(), rebuild: false });
  const log = acme.replace('/acme/', '/initech/');
  const row = { log, tenant: 'initech', partition: 0, topic: 'custody.events', kind: 'event', day: 0 };
  const rest = { offset: 0n, appendTimeMs: 0n, prev: '', bodySha: '', leaf: 'ff', body: new Uint8Array() };
  for (let seq = 0n; seq <= TAIL_MAX_ROWS; seq++) places.note({ ...row, ...rest, seq });
  const findings = createFindingLog();
  const comparison = {
    raw: () => {
      throw new Error('nothing to read');
    },
    deployment: DEPLOYMENT,
    heads: { positions: [], logs: new Map() },
    expected: new Map(),
    committed: new Map(),
    places,
    wanted: () => true,
    rebuild: false,
    findings,
    current: true,
  };
  await comparePartitions(comparison, []);
  expect(findings.verdict()).toBe('invalid');
  expect(findings.first.map(({ cause }) => cause)).toEqual(['READ_ERROR', 'UNKNOWN_LOG']);
});

test.each([
  {
    number: 32,
    title: 'a partition replaced by a changed copy of itself',
    sql: (entry: string) => [
      'CREATE TABLE custody.other AS custody.entries',
      `ALTER TABLE custody.other ATTACH PARTITION '2026-09-22' FROM custody.entries`,
      `ALTER TABLE custody.other UPDATE body = concat(body, ' ') WHERE ${entry} SETTINGS mutations_sync = 2`,
      `ALTER TABLE custody.entries REPLACE PARTITION '2026-09-22' FROM custody.other`,
    ],
    found: ['BODY_HASH'],
  },
  {
    number: 33,
    title: 'a lightweight update',
    sql: (entry: string) => [
      'ALTER TABLE custody.entries MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1',
      'OPTIMIZE TABLE custody.entries FINAL',
      `UPDATE custody.entries SET body = 'x' WHERE ${entry}`,
    ],
    found: ['SCHEMA_FINGERPRINT', 'BODY_HASH'],
  },
  {
    number: 26,
    title: 'a copy of the row under an earlier day, where retention would reach it',
    sql: (entry: string) => [
      `INSERT INTO custody.entries (log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body)
       SELECT log, tenant, kpart, seq, topic, koffset, kts_ms, day - 1, kind, prev, body_sha, leaf, body FROM custody.entries WHERE ${entry}`,
    ],
    found: ['DAY'],
  },
] as const)('$title is found', async ({ number, sql, found }) => {
  verifies('P4');
  const report = await ledger.attack(sql(`log = '${acme}' AND seq = 15`));
  expect(report.verdict).toBe('invalid');
  expect(new Set(report.findings.map(({ cause }) => cause))).toEqual(new Set(found));
  expect(report.findings).toContainEqual(located(found.at(-1) ?? '', acme, '15'));
  attack(number, 'process', ...found);
});

test('a view put in the place of the table is found though it gives the same rows', async () => {
  verifies('P4');
  const report = await ledger.attack([
    'RENAME TABLE custody.entries TO custody.kept',
    'CREATE VIEW custody.entries AS SELECT * FROM custody.kept',
  ]);
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toContainEqual(located('SCHEMA_FINGERPRINT', 'custody.entries', null));
  attack(32, 'process', 'SCHEMA_FINGERPRINT');
  attack(34, 'process', 'SCHEMA_FINGERPRINT');
});

test.each([
  ['emptied', 'TRUNCATE TABLE custody.entries', 'LOG_MISSING'],
  ['dropped', 'DROP TABLE custody.entries SYNC', 'SCHEMA_FINGERPRINT'],
  ['given a TTL', 'ALTER TABLE custody.entries MODIFY TTL day + INTERVAL 1 YEAR', 'SCHEMA_FINGERPRINT'],
])('a table that was %s is found', async (_title, statement, cause) => {
  verifies('P4');
  const report = await ledger.attack([statement]);
  expect(report.verdict).toBe('invalid');
  expect(report.findings.map((finding) => finding.cause)).toContain(cause);
  attack(32, 'process', cause);
});

test('a partition attached a second time as an identical copy is harmless', async () => {
  const report = await ledger.attack([
    'CREATE TABLE custody.other AS custody.entries',
    `ALTER TABLE custody.other ATTACH PARTITION '2026-09-22' FROM custody.entries`,
    `ALTER TABLE custody.entries ATTACH PARTITION '2026-09-22' FROM custody.other`,
  ]);
  expect(report).toMatchObject({ verdict: 'valid', findings: [] });
  expect(report.duplicates).toBeGreaterThan(0);
  twin(32, 'process');
});
