import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attack, twin, type AttackNumber } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { type Ledger, shortOfMemory, writeLedger } from './ledger-fixture.ts';

let ledger: Ledger;
let acme: string;
let globex: string;
beforeAll(async () => {
  ledger = await writeLedger();
  acme = ledger.logOf('acme');
  globex = ledger.logOf('globex');
});
afterAll(() => ledger.remove());

const SYNC = 'SETTINGS mutations_sync = 2';
const PREIMAGE = (prev: string) =>
  `concat('mcp-audit/entry/v1\\n', log, '\\n', toString(seq), '\\n', lower(hex(${prev})), '\\n', topic, '/', toString(kpart), '/', toString(koffset), '\\n', toString(kts_ms), '\\n', kind, '\\n', lower(hex(SHA256(b))), '\\n')`;
/** Deletes a row and writes it again changed, with hashes that are right for what it says now. */
const REPLACED = `SELECT log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, SHA256(replaceOne(body, 'allow', 'ALLOW') AS b), SHA256(concat(char(0), ${PREIMAGE('prev')})), b`;
const COLUMNS = 'log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body';
const REST = 'koffset, kts_ms, day, kind, prev, body_sha, leaf, body';
const insert = (select: string, where: string) =>
  `INSERT INTO custody.entries (${COLUMNS}) ${select} FROM custody.entries WHERE ${where}`;
/** The admin drops what refuses a forged row. */
const UNGUARDED = ['leaf_ok', 'body_ok'].map((name) => `ALTER TABLE custody.entries DROP CONSTRAINT ${name}`);
const at = (seq: number) => `log = '${acme}' AND seq = ${seq}`;

interface Attack {
  readonly number: AttackNumber;
  readonly title: string;
  readonly sql: () => string[];
  readonly cause: string;
  readonly seq: string | null;
}
const replace = (seq: number) => [
  insert(REPLACED, at(seq)),
  `ALTER TABLE custody.entries DELETE WHERE ${at(seq)} AND position(body, 'ALLOW') = 0 ${SYNC}`,
];
const played: Attack[] = [
  {
    number: 4,
    title: 'body, its hash and the leaf recomputed',
    cause: 'LINK',
    seq: '8',
    sql: () => replace(7),
  },
  {
    number: 4,
    title: 'the last entry rewritten consistently',
    cause: 'HEAD_MISMATCH',
    seq: '30',
    sql: () => replace(30),
  },
  {
    number: 1,
    title: 'one bit of a body flipped',
    cause: 'BODY_HASH',
    seq: '12',
    sql: () => [
      `ALTER TABLE custody.entries UPDATE body = concat(substring(body, 1, 10), char(bitXor(reinterpretAsUInt8(substring(body, 11, 1)), 1)), substring(body, 12)) WHERE ${at(12)} ${SYNC}`,
    ],
  },
  {
    number: 6,
    title: 'a middle row deleted by mutation',
    cause: 'GAP',
    seq: '12',
    sql: () => [`ALTER TABLE custody.entries DELETE WHERE ${at(12)} ${SYNC}`],
  },
  {
    number: 6,
    title: 'a middle row deleted lightly',
    cause: 'GAP',
    seq: '12',
    sql: () => [`DELETE FROM custody.entries WHERE ${at(12)}`],
  },
  {
    number: 6,
    title: 'a middle row deleted lightly leaves a hidden row',
    cause: 'HIDDEN_ROWS',
    seq: null,
    sql: () => [`DELETE FROM custody.entries WHERE ${at(12)}`],
  },
  {
    number: 7,
    title: 'the first rows deleted',
    cause: 'HEAD_MISSING',
    seq: '0',
    sql: () => [`ALTER TABLE custody.entries DELETE WHERE log = '${acme}' AND seq < 3 ${SYNC}`],
  },
  {
    number: 8,
    title: 'the tail cut',
    cause: 'TRUNCATED',
    seq: '26',
    sql: () => [`ALTER TABLE custody.entries DELETE WHERE log = '${acme}' AND seq > 25 ${SYNC}`],
  },
  {
    number: 8,
    title: 'a whole log deleted',
    cause: 'LOG_MISSING',
    seq: '0',
    sql: () => [`ALTER TABLE custody.entries DELETE WHERE log = '${acme}' ${SYNC}`],
  },
  {
    number: 11,
    title: 'two bodies swapped',
    cause: 'BODY_HASH',
    seq: '4',
    sql: () => [
      `ALTER TABLE custody.entries UPDATE body = if(seq = 4, (SELECT body FROM custody.entries WHERE ${at(5)}), (SELECT body FROM custody.entries WHERE ${at(4)})) WHERE log = '${acme}' AND seq IN (4, 5) ${SYNC}`,
    ],
  },
  {
    number: 12,
    title: 'a row inserted between two',
    cause: 'FORK',
    seq: '9',
    sql: () => [insert(REPLACED, at(9))],
  },
  {
    number: 14,
    title: 'a row with the same place and other content',
    cause: 'FORK',
    seq: '30',
    sql: () => [insert(REPLACED, at(30))],
  },
  {
    number: 12,
    title: 'a row inserted after the end',
    cause: 'UNKNOWN_TAIL',
    seq: '31',
    sql: () => [
      insert(
        `SELECT log, tenant, kpart, toUInt64(31) AS seq, topic, koffset + 6 AS koffset, kts_ms, day, kind, leaf AS prev, SHA256(body AS b), SHA256(concat(char(0), ${PREIMAGE('leaf')})), b`,
        at(30),
      )
        .replace(
          'FROM custody.entries',
          'FROM (SELECT log, tenant, kpart, seq AS s0, topic, koffset AS o0, kts_ms, day, kind, leaf, body FROM custody.entries)',
        )
        .replace('koffset + 6 AS koffset', 'o0 + 6 AS koffset')
        .replace('AND seq = 30', 'AND s0 = 30'),
    ],
  },
  {
    number: 27,
    title: "rows of another tenant's log spliced in",
    cause: 'LEAF_HASH',
    seq: '31',
    sql: () => [
      ...UNGUARDED,
      insert(`SELECT '${acme}', 'acme', kpart, seq + 28, topic, ${REST}`, `log = '${globex}' AND seq = 3`),
    ],
  },
  {
    number: 28,
    title: 'entries renumbered',
    cause: 'LEAF_HASH',
    seq: '19',
    sql: () => [
      ...UNGUARDED,
      insert(`SELECT log, tenant, kpart, seq - 1, topic, ${REST}`, at(20)),
      `ALTER TABLE custody.entries DELETE WHERE ${at(20)} ${SYNC}`,
    ],
  },
  {
    number: 31,
    title: 'a day partition dropped',
    cause: 'GAP',
    seq: '11',
    sql: () => [`ALTER TABLE custody.entries DROP PARTITION '2026-09-22'`],
  },
  {
    number: 32,
    title: 'a partition detached',
    cause: 'TRUNCATED',
    seq: '21',
    sql: () => [`ALTER TABLE custody.entries DETACH PARTITION '2026-09-23'`],
  },
  {
    number: 32,
    title: 'the table exchanged for an empty one',
    cause: 'LOG_MISSING',
    seq: '0',
    sql: () => [
      'CREATE TABLE custody.other AS custody.entries',
      'EXCHANGE TABLES custody.entries AND custody.other',
    ],
  },
  {
    number: 3,
    title: 'a derived column given another expression',
    cause: 'DERIVED_MISMATCH',
    seq: '7',
    sql: () => [
      `ALTER TABLE custody.entries MODIFY COLUMN tool_name LowCardinality(String) MATERIALIZED 'read_file'`,
      `ALTER TABLE custody.entries MATERIALIZE COLUMN tool_name ${SYNC}`,
    ],
  },
  {
    number: 3,
    title: 'the table altered',
    cause: 'SCHEMA_FINGERPRINT',
    seq: null,
    sql: () => [
      `ALTER TABLE custody.entries MODIFY COLUMN tool_name LowCardinality(String) MATERIALIZED 'read_file'`,
    ],
  },
];

test.each(played)('$title is found as $cause at entry $seq', async ({ number, sql, cause, seq }) => {
  verifies('P4');
  const report = await ledger.attack(sql());
  expect(report.verdict).toBe('invalid');
  const located = report.findings.filter((finding) => finding.cause === cause && finding.seq === seq);
  expect(located, JSON.stringify(report.findings.slice(0, 5))).not.toEqual([]);
  if (seq !== null) expect(located.map(({ log }) => log)).toContain(acme);
  attack(number, 'process', cause);
});

test('an identical copy of an entry is counted and harmless', async () => {
  const report = await ledger.attack([insert(`SELECT ${COLUMNS}`, at(9))]);
  expect(report).toMatchObject({ verdict: 'valid', duplicates: 1, findings: [] });
  for (const number of [11, 12, 13, 14] as const) twin(number, 'process');
});

test('a partition detached and attached again is valid', async () => {
  const day = "'2026-09-22'";
  const report = await ledger.attack([
    `ALTER TABLE custody.entries DETACH PARTITION ${day}`,
    `ALTER TABLE custody.entries ATTACH PARTITION ${day}`,
  ]);
  expect(report).toMatchObject({ verdict: 'valid', findings: [] });
  for (const number of [6, 32] as const) twin(number, 'process');
});

test('merging parts is valid', async () => {
  const report = await ledger.attack(['OPTIMIZE TABLE custody.entries FINAL']);
  expect(report).toMatchObject({ verdict: 'valid', findings: [] });
  for (const number of [6, 33, 35] as const) twin(number, 'process');
});

test('without recorded heads nothing can be said of the tail', async () => {
  verifies('P4');
  const report = await ledger.attack([], {
    async onLog({ state }) {
      const gone: { name: string; value: undefined }[] = [];
      for await (const { name } of state.entries('ledger/')) gone.push({ name, value: undefined });
      await state.write(gone);
    },
  });
  expect(report.verdict).toBe('undecidable');
  expect(report.findings.map(({ cause }) => cause)).toEqual(['HEADS_UNAVAILABLE']);
});

test('a statement the engine ends for lack of memory makes the verdict undecidable, not invalid', async () => {
  verifies('P10');
  const report = await ledger.attack([], { through: shortOfMemory('ORDER BY log, seq') });
  expect(report.verdict).toBe('undecidable');
  expect(new Set(report.findings.map(({ cause }) => cause))).toEqual(new Set(['READ_ERROR']));
});

test('the query in docs/spec/log.md finds a changed body and nothing in an untouched store', async () => {
  const text = readFileSync(new URL('../../docs/spec/log.md', import.meta.url), 'utf8');
  const query = /```sql\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const counted = `SELECT count() FROM (${query})`;
  const change = `ALTER TABLE custody.entries UPDATE body = '' WHERE ${at(7)} ${SYNC}`;
  expect([await ledger.answer([], counted), await ledger.answer([change], counted)]).toEqual(['0', '1']);
});
