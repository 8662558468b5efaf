import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signingKey } from '../../evidence/note/key.ts';
import { PREIMAGE } from '../../sinks/store/migrations/0001-entries.ts';
import { WRITTEN_COLUMNS } from '../../sinks/store/tab-separated.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { rewrittenFrom } from './forge.ts';
import { DEPLOYMENT, type Ledger, writeLedger } from './ledger-fixture.ts';
import { testNotary } from './test-notary.ts';

// The views custody.verify_* inside ClickHouse: the same attacks, seen without leaving the store.

const SYNC = 'SETTINGS mutations_sync = 2';
const key = signingKey(`${DEPLOYMENT}/anchor`, 'log', generateKeyPairSync('ed25519').privateKey);
const notary = testNotary(DEPLOYMENT, key);
let ledger: Ledger;
let acme: string;
let globex: string;
beforeAll(async () => {
  ledger = await writeLedger(3, (store, nowMs) => notary.sign(store, nowMs));
  acme = ledger.logOf('acme');
  globex = ledger.logOf('globex');
});
afterAll(() => ledger.remove());

const COLUMNS = WRITTEN_COLUMNS.join(', ');
const UNGUARDED = ['leaf_ok', 'body_ok'].map((name) => `ALTER TABLE custody.entries DROP CONSTRAINT ${name}`);
const at = (seq: number) => `log = '${acme}' AND seq = ${seq}`;
const update = (set: string, where: string) =>
  `ALTER TABLE custody.entries UPDATE ${set} WHERE ${where} ${SYNC}`;
/** Copies a row with some columns changed. */
const insert = (changes: Readonly<Record<string, string>>, where: string) =>
  `INSERT INTO custody.entries (${COLUMNS}) SELECT ${WRITTEN_COLUMNS.map((name) => changes[name] ?? `t.${name}`).join(', ')} FROM custody.entries AS t WHERE ${where}`;

const OTHER_BODY = `replaceOne(body, 'allow', 'ALLOW')`;
const consistent = `body = ${OTHER_BODY}, body_sha = SHA256(${OTHER_BODY}), leaf = SHA256(concat(char(0), ${PREIMAGE.replace('body_sha', `SHA256(${OTHER_BODY})`)}))`;

const wrongEntries = async (sql: readonly string[]) =>
  (
    await ledger.answer(sql, 'SELECT log, seq, cause FROM custody.verify_entries ORDER BY log, seq, cause')
  ).split('\n');
/** State of each log; under `root <log>` whether its root is the signed one. */
const states = async (sql: readonly string[]) => {
  const answer = await ledger.answer(
    sql,
    `SELECT log, state FROM custody.verify_logs UNION ALL SELECT concat('root ', log), if(same, 'same', 'other') FROM custody.verify_roots ORDER BY 1`,
  );
  return new Map(answer.split('\n').map((line) => line.split('\t') as [string, string]));
};

test('an untouched store, also after its parts were merged and rows written twice, has nothing wrong and is covered', async () => {
  const sql = ['OPTIMIZE TABLE custody.entries FINAL', insert({}, at(9))];
  expect(await wrongEntries(sql)).toEqual(['']);
  const found = await states(sql);
  expect(found.size).toBe(12);
  expect(new Set(found.values())).toEqual(new Set(['covered', 'same']));
  for (const number of [1, 2, 4, 5, 6, 11, 12, 13, 14, 27] as const) twin(number, 'sql');
});

test('entries that were changed, each in another way, are named each at its place', async () => {
  verifies('P4');
  const flipped = 'concat(char(bitXor(reinterpretAsUInt8(substring(body, 1, 1)), 1)), substring(body, 2))';
  const swapped = `if(seq = 15, (SELECT body FROM custody.entries WHERE ${at(16)}), (SELECT body FROM custody.entries WHERE ${at(15)}))`;
  const found = await wrongEntries([
    ...UNGUARDED,
    update(`body = ${flipped}`, at(3)),
    update('kts_ms = kts_ms + 1', at(5)),
    update(consistent, at(7)),
    `DELETE FROM custody.entries WHERE ${at(12)}`,
    update(`body = ${swapped}`, `log = '${acme}' AND seq IN (15, 16)`),
    insert({ body: `'x'`, body_sha: `SHA256('x')`, leaf: `SHA256('x')` }, at(19)),
    update(`kind = 'EVENT'`, at(22)),
    update(`body = replaceOne(body, ':', ': ')`, at(24)),
    insert({ log: `'${acme}'`, tenant: `'acme'`, seq: 'toUInt64(33)' }, `t.log = '${globex}' AND t.seq = 3`),
    insert({ seq: 'toUInt64(35)' }, at(25).replaceAll('seq', 't.seq')),
  ]);
  const isFound = (number: Parameters<typeof attack>[0], cause: string, ...seqs: number[]) => {
    for (const seq of seqs) expect(found).toContain(`${acme}\t${seq}\t${cause}`);
    attack(number, 'sql', cause);
  };
  isFound(1, 'BODY_HASH', 3);
  isFound(2, 'LEAF_HASH', 5);
  isFound(4, 'LINK', 8);
  isFound(6, 'GAP', 13);
  isFound(11, 'BODY_HASH', 15, 16);
  isFound(12, 'FORK', 19);
  isFound(14, 'FORK', 19);
  isFound(36, 'LEAF_HASH', 22);
  isFound(36, 'BODY_HASH', 24);
  isFound(27, 'LEAF_HASH', 33);
  isFound(28, 'LEAF_HASH', 35);
  expect(found).not.toContain(`${acme}\t3\tLEAF_HASH`);
});

test('rows updated by a patch, and a partition replaced by a changed copy, are named', async () => {
  verifies('P4');
  const found = await wrongEntries([
    'CREATE TABLE custody.other AS custody.entries',
    `ALTER TABLE custody.other ATTACH PARTITION '2026-09-22' FROM custody.entries`,
    `ALTER TABLE custody.other UPDATE body = concat(body, ' ') WHERE ${at(14)} ${SYNC}`,
    `ALTER TABLE custody.entries REPLACE PARTITION '2026-09-22' FROM custody.other`,
    'ALTER TABLE custody.entries MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1',
    'OPTIMIZE TABLE custody.entries FINAL',
    `UPDATE custody.entries SET body = 'x' WHERE ${at(29)}`,
  ]);
  expect(found).toEqual([`${acme}\t14\tBODY_HASH`, `${acme}\t29\tBODY_HASH`]);
  attack(32, 'sql', 'BODY_HASH');
  attack(33, 'sql', 'BODY_HASH');
});

test('logs that were cut, beheaded, perforated, rewritten or removed are named with their state', async () => {
  verifies('P4');
  const logs = [...(await states([])).keys()].filter((name) => !name.startsWith('root '));
  const [alerts, deadletter] = logs.filter((log) => log.includes('/acme/') && log !== acme);
  const other = logs.find((log) => log.includes('/globex/') && log !== globex) ?? '';
  const gone = (where: string) => `ALTER TABLE custody.entries DELETE WHERE ${where} ${SYNC}`;
  const { sql } = await rewrittenFrom(ledger, acme, 7);
  const attacked = [
    ...sql,
    gone(`log = '${globex}' AND seq > 25`),
    gone(`log = '${alerts}' AND seq = 0`),
    gone(`log = '${deadletter}' AND seq = 1`),
    gone(`log = '${other}'`),
  ];
  const found = await states(attacked);
  expect([acme, globex, alerts ?? '', deadletter ?? '', other].map((log) => found.get(log))).toEqual([
    'ROOT_MISMATCH',
    'TRUNCATED',
    'HEAD_MISSING',
    'GAP',
    'LOG_MISSING',
  ]);
  expect(found.get(`root ${acme}`)).toBe('other');
  attack(5, 'sql', 'ROOT_MISMATCH');
  attack(8, 'sql', 'TRUNCATED');
  attack(7, 'sql', 'HEAD_MISSING');
  attack(6, 'sql', 'GAP');
  attack(9, 'sql', 'ROOT_MISMATCH');
});

test.each([
  ['the oldest', `ALTER TABLE custody.entries DROP PARTITION '2026-09-21'`, 31, 'HEAD_MISSING'],
  ['a later', `ALTER TABLE custody.entries DROP PARTITION '2026-09-22'`, 31, 'GAP'],
  ['the newest, detached,', `ALTER TABLE custody.entries DETACH PARTITION '2026-09-23'`, 32, 'TRUNCATED'],
  ['every', 'TRUNCATE TABLE custody.entries', 32, 'LOG_MISSING'],
] as const)(
  '%s day that is gone shows in the state of its logs',
  async (_which, statement, number, state) => {
    verifies('P4');
    expect((await states([statement])).get(acme)).toBe(state);
    attack(number, 'sql', state);
  },
);
