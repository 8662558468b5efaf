import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import { formatVerifierKey, signingKey } from '../../evidence/note/key.ts';
import { findLost } from '../../notary/discover.ts';
import type { ChdbStore } from '../../sinks/store/chdb-store.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { forgedInsert, headAs, inventedPlaces, storedPlaces } from './forge.ts';
import { type AttackOptions, DEPLOYMENT, type Ledger, writeLedger } from './ledger-fixture.ts';
import { testNotary } from './test-notary.ts';

// Two days are signed, the third is not yet: entries 0 to 20 of a log of 31.

const ORIGIN = `${DEPLOYMENT}/anchor`;
const SYNC = 'SETTINGS mutations_sync = 2';
const key = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
const notary = testNotary(DEPLOYMENT, key);
const trust = localTrust(formatVerifierKey(key));
let ledger: Ledger;
let acme: string;
let signedAtMs = 0;
beforeAll(async () => {
  let day = 0;
  ledger = await writeLedger(3, async (store, nowMs) => {
    if (day++ < 2) await notary.sign(store, (signedAtMs = nowMs));
  });
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

const located = (cause: string, log: string, seq: string | null) =>
  expect.objectContaining({ cause, log, seq }) as unknown;
const verify = (sql: readonly string[], options: AttackOptions = {}) =>
  ledger.attack(sql, { trust, ...options });
const cut = (from: number) =>
  `ALTER TABLE custody.entries DELETE WHERE log = '${acme}' AND seq >= ${from} ${SYNC}`;
const headAt = async (seq: number) => ({
  seq: String(seq),
  leaf: await ledger.answer(
    [],
    `SELECT lower(hex(leaf)) FROM custody.entries WHERE log = '${acme}' AND seq = ${seq}`,
  ),
});
const gone = () => `ALTER TABLE custody.entries DELETE WHERE log = '${acme}' ${SYNC}`;

test('entries that are not signed yet are valid, and the report says how many there are', async () => {
  const report = await verify([]);
  expect(report).toMatchObject({ verdict: 'valid', findings: [] });
  expect(report.verified_up_to).toContainEqual(
    expect.objectContaining({ log: acme, seq: '30', signed_size: '21', unsigned: '10' }),
  );
  for (const number of [8, 9, 10, 17, 18, 34] as const) twin(number, 'process');
});

test('a tail cut beyond the newest checkpoint is missed where its head was recorded', async () => {
  verifies('P4');
  const report = await verify([cut(26)]);
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toEqual([located('TRUNCATED', acme, '26')]);
  attack(10, 'process', 'TRUNCATED');
});

test('... also when the recorded head was set back: the log has records without an entry', async () => {
  verifies('P4');
  const report = await verify([cut(26)], { onLog: headAs(acme, await headAt(25)), rebuild: true });
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toContainEqual(located('GAP', acme, '26'));
  attack(10, 'process', 'GAP');
});

test('... and not where neither heads nor records are at hand: the documented window of one interval', async () => {
  const report = await verify([cut(26)], { states: undefined, topics: undefined });
  expect(report.findings.filter(({ cause }) => cause !== 'HEADS_UNAVAILABLE')).toEqual([]);
  expect(report.verdict).toBe('undecidable');
  expect(report.verified_up_to).toContainEqual(
    expect.objectContaining({ log: acme, seq: '25', signed_size: '21', unsigned: '5' }),
  );
});

test('a signed tail cut and written again with other events has another root, and is signed no further', async () => {
  verifies('P4');
  const places = (await storedPlaces(ledger, acme)).map((place, seq) =>
    seq < 15 ? place : { ...place, body: Buffer.from(place.body.toString().replace('allow', 'deny')) },
  );
  const { sql, leaf } = forgedInsert(acme, places);
  const report = await verify([gone(), ...sql], {
    onLog: headAs(acme, { seq: '30', leaf }),
    async onStore(store: ChdbStore) {
      expect(await findLost(store.raw, notary.state)).toEqual([{ log: acme, seq: 20n, isOther: true }]);
      const restarted = testNotary(DEPLOYMENT, key, notary.state);
      await expect(restarted.sign(store, signedAtMs + 1000)).rejects.toThrow('refuses to sign: LINK');
    },
  });
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toContainEqual(located('ROOT_MISMATCH', acme, '20'));
  attack(9, 'process', 'ROOT_MISMATCH');
  attack(9, 'notary', 'LINK');
  attack(5, 'notary', 'LINK');
});

test('a log that begins with the genesis of another, or of another epoch, is named', async () => {
  verifies('P4');
  const others = [ledger.logOf('globex'), acme.replace(/0$/, '1')];
  for (const other of others) {
    const [genesis] = inventedPlaces(other, 0);
    const places = (await storedPlaces(ledger, acme)).map((place, seq) =>
      seq === 0 && genesis !== undefined ? { ...place, body: genesis.body } : place,
    );
    const { sql } = forgedInsert(acme, places);
    const report = await verify([gone(), ...sql]);
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(located('GENESIS', acme, '0'));
  }
  attack(28, 'process', 'GENESIS');
});

test('two logs merged into one, every hash right, are not what was signed', async () => {
  verifies('P4');
  const globex = ledger.logOf('globex');
  const both = [...(await storedPlaces(ledger, acme)), ...(await storedPlaces(ledger, globex)).slice(1)];
  const { sql } = forgedInsert(
    acme,
    both.sort((a, b) => Number(a.offset) - Number(b.offset)),
  );
  const report = await verify([
    gone(),
    `ALTER TABLE custody.entries DELETE WHERE log = '${globex}' ${SYNC}`,
    ...sql,
  ]);
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toContainEqual(located('LOG_MISSING', globex, '0'));
  expect(report.findings).toContainEqual(located('ROOT_MISMATCH', acme, '20'));
  attack(28, 'process', 'LOG_MISSING', 'ROOT_MISMATCH');
});

test('an invented entry before the first and after the last are named', async () => {
  verifies('P4');
  const stored = await storedPlaces(ledger, acme);
  const [first, last] = [stored[0], stored.at(-1)];
  if (first === undefined || last === undefined) throw new Error('no entries');
  const before = await verify([gone(), ...forgedInsert(acme, [first, ...stored]).sql]);
  expect(before.verdict).toBe('invalid');
  expect(before.findings).toContainEqual(located('ROOT_MISMATCH', acme, '10'));
  const after = await verify([
    gone(),
    ...forgedInsert(acme, [...stored, { ...last, offset: String(Number(last.offset) + 10) }]).sql,
  ]);
  expect(after.verdict).toBe('invalid');
  expect(after.findings).toEqual([located('UNKNOWN_TAIL', acme, '31')]);
  attack(12, 'process', 'ROOT_MISMATCH', 'UNKNOWN_TAIL');
});
