import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { signingKey } from '../../../evidence/note/key.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { configSchema } from '../../../schemas/config.ts';
import { createSqlEndpoint } from '../../../sinks/store/sql-endpoint/sql-endpoint.ts';
import { pruneActs, testNotary } from '../../attacks/test-notary.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { twin } from '../../attack-catalogue.ts';
import { DAY_MS, sealed, source, START_MS, startStore, type StoreHarness } from './ledger-harness.ts';

const COUNT = 600;
const SYNC = 'SETTINGS mutations_sync = 2';
const LOG = `test/acme/${source.topicId}-0/0`;
const guide = readFileSync(new URL('../../../docs/operations/verification.md', import.meta.url), 'utf8');
const [entriesQuery = '', logsQuery = '', rootsQuery = ''] = [
  ...guide.matchAll(/```sql\n([\s\S]*?)```/g),
].map((match) => match[1]);
const notaryKey = () => signingKey('test/anchor', 'log', generateKeyPairSync('ed25519').privateKey);

let harness: StoreHarness;
let endpoint: ReturnType<typeof createSqlEndpoint>;
let notary: ReturnType<typeof testNotary>;
beforeEach(async () => {
  harness = await startStore();
  const records = Array.from({ length: COUNT }, (_, number) => ({
    value: sampleEvent(number),
    appendTimeMs: START_MS + (number < COUNT / 2 ? 0 : DAY_MS),
  }));
  const entries = sealed(records);
  await harness.store().append(entries.slice(0, COUNT / 2 + 1));
  await harness.store().append(entries.slice(COUNT / 2 + 1));
  notary = testNotary('test', notaryKey());
  await notary.sign(harness.store(), START_MS + DAY_MS);
  const defaults = configSchema.parse({ sql: { listener: { port: 0 } } });
  endpoint = createSqlEndpoint({
    ...{ config: defaults.sql, tokens: [], storePath: harness.path, clock: systemClock },
    ...{ logger: createLogger({ level: 'silent' }), metrics: createMetrics() },
  });
  await endpoint.start();
});
afterEach(async () => {
  await endpoint.stop();
  await harness.close();
});

/** Over the read-only endpoint, in its limits. */
async function ask(query: string): Promise<Record<string, unknown>[]> {
  const { host, port } = endpoint.address();
  const response = await fetch(`http://${host}:${port}/?default_format=JSONEachRow`, {
    method: 'POST',
    body: query,
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('the queries of the guide find nothing in an untouched store, and the roots are the signed ones', async () => {
  expect(await ask(entriesQuery)).toEqual([]);
  expect(await ask(logsQuery)).toEqual([
    expect.objectContaining({
      log: LOG,
      entries: COUNT + 1,
      checkpoint_size: COUNT + 1,
      unsigned: 0,
      state: 'covered',
    }),
  ]);
  expect(await ask(rootsQuery)).toEqual([expect.objectContaining({ log: LOG, size: COUNT + 1, same: 1 })]);
});

test.each([
  ['a changed body', `UPDATE body = concat(body, ' ') WHERE seq = 7`, { seq: 7, cause: 'BODY_HASH' }],
  ['a changed time', `UPDATE kts_ms = kts_ms + 1 WHERE seq = 7`, { seq: 7, cause: 'LEAF_HASH' }],
  ['a changed leaf', `UPDATE leaf = SHA256(leaf) WHERE seq = 7`, { seq: 8, cause: 'LINK' }],
  ['a removed entry', 'DELETE WHERE seq = 7', { seq: 8, cause: 'GAP' }],
  ['removed first entries', 'DELETE WHERE seq < 7', { seq: 7, cause: 'HEAD_MISSING' }],
])('%s is found with its place and its cause', async (_title, change, found) => {
  await harness.command(`ALTER TABLE custody.entries ${change} ${SYNC}`);
  expect(await ask(entriesQuery)).toContainEqual({ log: LOG, ...found });
});

test('a copy of an entry is no finding, another entry at its place is a fork', async () => {
  const written = 'log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body';
  const copy = `INSERT INTO custody.entries (${written}) SELECT ${written} FROM custody.entries WHERE seq = 7`;
  await harness.command(copy);
  expect(await ask(entriesQuery)).toEqual([]);
  await harness.command('ALTER TABLE custody.entries DROP CONSTRAINT leaf_ok');
  await harness.command(copy.replace('body_sha, leaf, body FROM', 'body_sha, SHA256(leaf), body FROM'));
  const found = await ask(entriesQuery);
  expect(found).toContainEqual({ log: LOG, seq: 7, cause: 'FORK' });
});

test.each([
  ['cut off', 'DELETE WHERE seq > 500', 'TRUNCATED'],
  ['removed', 'DELETE WHERE 1', 'LOG_MISSING'],
  ['beheaded', 'DELETE WHERE seq < 5', 'HEAD_MISSING'],
  ['perforated', 'DELETE WHERE seq = 5', 'GAP'],
  ['given another last entry', `UPDATE leaf = SHA256(leaf) WHERE seq = ${COUNT}`, 'ROOT_MISMATCH'],
])('a log that was %s has that as its state', async (_title, change, state) => {
  await harness.command(`ALTER TABLE custody.entries ${change} ${SYNC}`);
  expect(await ask(logsQuery)).toEqual([expect.objectContaining({ log: LOG, state })]);
});

test('a changed leaf anywhere gives another root', async () => {
  await harness.command(`ALTER TABLE custody.entries UPDATE leaf = SHA256(leaf) WHERE seq = 300 ${SYNC}`);
  expect(await ask(rootsQuery)).toEqual([expect.objectContaining({ log: LOG, same: 0 })]);
});

test('entries that were removed by right are no finding', async () => {
  const store = harness.store();
  const day = new Date(START_MS).toISOString().slice(0, 10);
  await notary.sign(store, START_MS + DAY_MS + 1, await pruneActs(store, day));
  await harness.command(`ALTER TABLE custody.entries DROP PARTITION '${day}'`);
  expect(await ask(entriesQuery)).toEqual([]);
  expect(await ask(logsQuery)).toEqual([expect.objectContaining({ log: LOG, state: 'covered' })]);
  for (const number of [7, 31, 44] as const) twin(number, 'sql');
});
