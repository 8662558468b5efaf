import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import { formatVerifierKey, signingKey } from '../../evidence/note/key.ts';
import { DEFINED_TABLES } from '../../sinks/store/schema-definition.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { DEPLOYMENT, type Ledger, writeLedger } from './ledger-fixture.ts';
import { testNotary } from './test-notary.ts';

const ORIGIN = `${DEPLOYMENT}/anchor`;
const SYNC = 'SETTINGS mutations_sync = 2';
const key = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
const notary = testNotary(DEPLOYMENT, key);
const trust = localTrust(formatVerifierKey(key));
let ledger: Ledger;
let acme: string;
beforeAll(async () => {
  ledger = await writeLedger(3, (store, nowMs) => notary.sign(store, nowMs));
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

interface Change {
  /** Row that is changed. */
  readonly where: () => string;
  readonly to: string;
  readonly cause: string;
  readonly seq: string | null;
  readonly log?: () => string;
}
const entry = (seq: number, to: string, cause: string, at = seq): Change => ({
  ...{ where: () => `log = '${acme}' AND seq = ${seq}`, to, cause, seq: String(at), log: () => acme },
});
const anchorEntry = (seq: number, to: string, cause: string, at = seq): Change => ({
  ...{ where: () => `seq = ${seq}`, to, cause, seq: String(at), log: () => ORIGIN },
});
const checkpoint = (size: number, to: string, cause: string): Change => ({
  where: () => `origin = '${acme}' AND size = ${size}`,
  ...{ to, cause, seq: String(size - 1), log: () => acme },
});

/** Another value for each stored column, in a row of its own, and what is found where. */
const CHANGES: Readonly<Record<string, Readonly<Record<string, Change>>>> = {
  entries: {
    log: entry(1, `concat(log, '0')`, 'GAP'),
    tenant: entry(3, `'globex'`, 'DERIVED_MISMATCH'),
    kpart: entry(5, 'kpart + 1', 'LEAF_HASH'),
    seq: entry(7, 'seq + 100', 'GAP'),
    topic: entry(9, `'custody.alerts'`, 'LEAF_HASH'),
    koffset: entry(11, 'koffset + 1', 'LEAF_HASH'),
    kts_ms: entry(13, 'kts_ms + 1', 'LEAF_HASH'),
    day: entry(15, 'day + 1', 'DAY'),
    kind: entry(17, `'malformed'`, 'LEAF_HASH'),
    prev: entry(19, 'SHA256(prev)', 'LEAF_HASH'),
    body_sha: entry(22, 'SHA256(body_sha)', 'BODY_HASH'),
    leaf: entry(25, 'SHA256(leaf)', 'LEAF_HASH'),
    body: entry(28, `concat(body, ' ')`, 'BODY_HASH'),
  },
  anchor_entries: {
    origin: anchorEntry(2, `concat(origin, 'x')`, 'GAP'),
    seq: anchorEntry(5, 'seq + 100', 'GAP'),
    body: anchorEntry(8, `replaceOne(body, '"log"', '"lag"')`, 'LEAF_HASH'),
    leaf: anchorEntry(10, 'SHA256(leaf)', 'LEAF_HASH'),
  },
  checkpoints: {
    origin: checkpoint(11, `concat(origin, '0')`, 'CHECKPOINT_MISSING'),
    size: checkpoint(11, 'size + 1', 'CHECKPOINT_MISSING'),
    root: checkpoint(21, 'SHA256(root)', 'DERIVED_MISMATCH'),
    time_ms: checkpoint(21, 'time_ms - 1', 'DERIVED_MISMATCH'),
    note: checkpoint(31, `replaceOne(note, '— ', '— x')`, 'NOTE_SIGNATURE'),
  },
};

/** Columns of which no verification of the store speaks, with the reason why that loses no evidence. */
const UNCOVERED: Readonly<Record<string, string>> = {
  anchor_evidence:
    'what others signed: each piece counts only when their pinned keys verify it, and proves nothing else',
  subtrees: 'roots of subtrees to make proofs from: a proof made from another one leads to no signed root',
};

const columns = async (derived: boolean): Promise<string[]> => {
  const answer = await ledger.answer(
    [],
    `SELECT concat(table, '.', name) FROM system.columns WHERE database = 'custody' AND table IN (SELECT name FROM system.tables WHERE database = 'custody' AND engine NOT IN ('View', 'MaterializedView') AND name != 'migrations') AND (default_kind != '') = ${derived} ORDER BY table, position`,
  );
  return answer.split('\n');
};
const named = (table: string) => Object.keys(CHANGES[table] ?? {}).map((name) => `${table}.${name}`);

test('every stored column of every table of evidence is changed below, or said to be uncovered', async () => {
  verifies('P4');
  const stored = await columns(false);
  expect([...new Set(stored.map((name) => name.split('.')[0]))].sort()).toEqual(
    Object.keys(DEFINED_TABLES).sort(),
  );
  const uncovered = stored.filter((name) => UNCOVERED[name.split('.')[0] ?? ''] !== undefined);
  expect(stored.filter((name) => !uncovered.includes(name))).toEqual(
    ['anchor_entries', 'checkpoints', 'entries'].flatMap(named),
  );
});

/** Key columns cannot be updated in place: rows are written again changed, and the first ones deleted. */
async function changing(table: string, chosen: readonly string[]) {
  const changes = CHANGES[table] ?? {};
  const names = Object.keys(changes);
  const any = chosen.map((column) => `(${changes[column]?.where() ?? '0'})`).join(' OR ');
  const values = names.map((name) => {
    const change = chosen.includes(name) ? changes[name] : undefined;
    return change === undefined ? name : `if(${change.where()}, ${change.to}, ${name})`;
  });
  const sql = [
    `CREATE TABLE custody.held ENGINE = Memory AS SELECT ${names.join(', ')} FROM custody.${table} WHERE ${any}`,
    `ALTER TABLE custody.${table} DELETE WHERE ${any} ${SYNC}`,
    `INSERT INTO custody.${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM custody.held`,
  ];
  const guards = { entries: ['leaf_ok', 'body_ok'], anchor_entries: ['leaf_ok'] }[table] ?? [];
  const report = await ledger.attack(
    [...guards.map((guard) => `ALTER TABLE custody.${table} DROP CONSTRAINT ${guard}`), ...sql],
    { trust },
  );
  expect(report.verdict).toBe('invalid');
  const causes = chosen.map((column) => {
    const { cause, seq, log } = changes[column] ?? { cause: 'none', seq: null };
    const place = { cause, seq, ...(log && { log: log() }) };
    expect(report.findings, `${table}.${column}`).toContainEqual(expect.objectContaining(place));
    return cause;
  });
  return [...new Set(causes)];
}

test.each([
  ['entries', Object.keys(CHANGES['entries'] ?? {})],
  ['anchor_entries', Object.keys(CHANGES['anchor_entries'] ?? {})],
  ['checkpoints', ['origin', 'root']],
  ['checkpoints', ['size', 'time_ms']],
  ['checkpoints', ['note']],
])('a change to a column of %s is found in its row: %s', async (table, chosen) => {
  verifies('P4');
  attack(2, 'process', ...(await changing(table, chosen)));
});

test('a checkpoint of the anchor log with another root or time beside its note is found', async () => {
  verifies('P4');
  const change = (size: number, set: string) =>
    `ALTER TABLE custody.checkpoints UPDATE ${set} WHERE origin = '${ORIGIN}' AND size = ${size} ${SYNC}`;
  const report = await ledger.attack(
    [change(13, 'root = SHA256(root)'), change(19, 'time_ms = time_ms + 1')],
    { trust },
  );
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toEqual([
    expect.objectContaining({ cause: 'DERIVED_MISMATCH', log: ORIGIN, seq: '12', column: 'root' }),
    expect.objectContaining({ cause: 'DERIVED_MISMATCH', log: ORIGIN, seq: '18', column: 'time_ms' }),
  ]);
  attack(2, 'process', 'DERIVED_MISMATCH');
});

const DERIVED_CHANGES: Readonly<Record<string, string>> = {
  'LowCardinality(String)': `'x'`,
  String: `'x'`,
  UInt64: '77',
  Int64: '77',
  UInt8: '77',
  Float64: '0.5',
  'Array(String)': `['x']`,
};

test('every derived column that was given other values is found, also when its expression was put back', async () => {
  verifies('P4');
  const answer = await ledger.answer(
    [],
    `SELECT table, name, type, default_expression FROM system.columns WHERE database = 'custody' AND default_kind = 'MATERIALIZED' ORDER BY table, position FORMAT JSONCompactEachRow`,
  );
  const derived = answer.split('\n').map((line) => JSON.parse(line) as [string, string, string, string]);
  expect(derived.map(([table, name]) => `${table}.${name}`)).toEqual(await columns(true));
  const wrong = derived.map(([table, name, type, expression]) => {
    const other = DERIVED_CHANGES[type] ?? `(${expression}) + 1`;
    return {
      table,
      set: `MODIFY COLUMN ${name} ${type} MATERIALIZED ${other}`,
      fill: `MATERIALIZE COLUMN ${name}`,
      back: `MODIFY COLUMN ${name} ${type} MATERIALIZED ${expression}`,
      name,
    };
  });
  const tables = [...new Set(derived.map(([table]) => table))];
  const all = (act: 'set' | 'fill' | 'back') =>
    tables.map((table) => {
      const acts = wrong.filter((each) => each.table === table).map((each) => each[act]);
      return `ALTER TABLE custody.${table} ${acts.join(', ')} ${SYNC}`;
    });
  const report = await ledger.attack([...all('set'), ...all('fill'), ...all('back')], { trust });
  expect(report.verdict).toBe('invalid');
  const found = report.findings.filter(({ cause }) => cause === 'DERIVED_MISMATCH');
  expect(found).toContainEqual(expect.objectContaining({ log: ORIGIN, seq: '3' }));
  const ofEntries = wrong.filter(({ table }) => table === 'entries').map(({ name }) => name);
  const inEntries = found.filter(({ log }) => log !== ORIGIN).map(({ column }) => column);
  expect(new Set(inEntries)).toEqual(new Set(ofEntries));
  attack(3, 'process', 'DERIVED_MISMATCH', 'SCHEMA_FINGERPRINT');
});

test('a column that somebody added to a table is found in each of them', async () => {
  verifies('P4');
  const tables = Object.keys(DEFINED_TABLES);
  const report = await ledger.attack(
    tables.map((table) => `ALTER TABLE custody.${table} ADD COLUMN extra String`),
    { trust },
  );
  expect(report.findings.map(({ cause, log }) => `${cause} ${log}`).sort()).toEqual(
    tables.map((table) => `SCHEMA_FINGERPRINT custody.${table}`).sort(),
  );
  attack(2, 'process', 'SCHEMA_FINGERPRINT');
});

test('merging, checking and materializing what is there already changes no verdict', async () => {
  const report = await ledger.attack(
    [
      ...Object.keys(DEFINED_TABLES).map((table) => `OPTIMIZE TABLE custody.${table} FINAL`),
      `ALTER TABLE custody.entries MATERIALIZE COLUMN tool_name ${SYNC}`,
      'CHECK TABLE custody.entries',
    ],
    { trust },
  );
  expect(report).toMatchObject({ verdict: 'valid', findings: [], entries: 78 });
  for (const number of [1, 2, 3] as const) twin(number, 'process');
});
