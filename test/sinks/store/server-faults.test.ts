import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SealedEntry } from '../../../evidence/entry-builder.ts';
import { IntegrityError, TransientError } from '../../../runtime/errors.ts';
import { openServerStore } from '../../../sinks/store/server-store.ts';
import type { Store } from '../../../sinks/store/store.ts';
import { verifyStore } from '../../../sinks/store/verify-store.ts';
import type { StoreHarness } from '../../contract/store.ts';
import { attack, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import type { Fault } from '../../support/clickhouse/control.ts';
import { startFront, type Front } from '../../support/clickhouse/start-front.ts';
import { memoryState, memoryTopic } from '../../support/memory-topic.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { ledgerOf, sealed, source, START_MS } from './ledger-harness.ts';
import { accessTo, openServerHarness } from './server-harness.ts';

const REQUEST_TIMEOUT_MS = 1000;
const INSERT = 'INSERT INTO custody.entries';

let server: Front;
let harness: StoreHarness;
beforeAll(async () => {
  server = await startFront();
});
afterAll(() => server.stop());
beforeEach(async () => {
  harness = await openServerHarness(server, { request_timeout_ms: REQUEST_TIMEOUT_MS });
});
afterEach(async () => {
  await server.plan();
  await server.delay(0);
  await harness.close();
});

const records = (count: number, tenant = 'acme') =>
  Array.from({ length: count }, (_, number) => ({ key: tenant, value: sampleEvent(number, tenant) }));
const entries = sealed(records(100));
const count = async () => (await harness.rows('SELECT count() FROM custody.entries'))[0]?.[0];
/** Verifies what is stored against records and heads. */
const verify = (store: Store, topic: ReturnType<typeof memoryTopic>, state: ReturnType<typeof memoryState>) =>
  verifyStore({
    raw: store.raw,
    states: [state],
    topics: () => Promise.resolve([topic]),
    deployment: source.deployment,
  });

const lost = (when: Fault['when']): Fault => ({ statement: INSERT, when });
const exception = (when: Fault['when'], code: number, symbol: string): Fault => ({
  statement: INSERT,
  when,
  exception: { code, symbol, message: symbol },
});

describe('an answer that is lost', () => {
  test('after the rows went in is read back, and they count as stored', async () => {
    verifies('P2');
    await server.plan(lost('after'));
    await expect(harness.store().append(entries)).resolves.toBeUndefined();
    expect(await count()).toBe(entries.length);
  });

  test('before the rows went in is a transient failure, and the same entries go in after it', async () => {
    verifies('P2');
    await server.plan(lost('before'));
    await expect(harness.store().append(entries)).rejects.toBeInstanceOf(TransientError);
    expect(await count()).toBe(0);
    await harness.store().append(entries);
    expect(await count()).toBe(entries.length);
  });

  test('because the client gave up first leaves one copy, whoever comes later', async () => {
    verifies('P2');
    await server.delay(REQUEST_TIMEOUT_MS * 1.5);
    await expect(harness.store().append(entries)).rejects.toMatchObject({ code: 'unavailable' });
    await server.delay(0);
    await harness.store().append(entries);
    await expect.poll(count).toBe(entries.length);
    await harness.store().append(entries);
    expect(await count()).toBe(entries.length);
  });

  test('because the server hangs is a transient failure', async () => {
    await server.pause();
    await expect(harness.store().append(entries)).rejects.toMatchObject({ code: 'unavailable' });
    await server.resume();
    await harness.store().append(entries);
    expect(await count()).toBe(entries.length);
  });
});

describe('what the engine says about a quorum', () => {
  test.each([
    [319, 'UNKNOWN_STATUS_OF_INSERT'],
    [999, 'KEEPER_EXCEPTION'],
    [159, 'TIMEOUT_EXCEEDED'],
  ])('%i %s is read back: the rows are there', async (code, symbol) => {
    verifies('P2');
    await server.plan(exception('after', code, symbol));
    await expect(harness.store().append(entries)).resolves.toBeUndefined();
    expect(await count()).toBe(entries.length);
  });

  test.each([
    [319, 'UNKNOWN_STATUS_OF_INSERT', 'unavailable'],
    [285, 'TOO_FEW_LIVE_REPLICAS', 'unavailable'],
    [286, 'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE', 'unavailable'],
    [225, 'NO_ZOOKEEPER', 'unavailable'],
    [242, 'TABLE_IS_READ_ONLY', 'unavailable'],
    [999, 'KEEPER_EXCEPTION', 'unavailable'],
    [252, 'TOO_MANY_PARTS', 'overloaded'],
  ])('%i %s without rows is tried again later', async (code, symbol, errorCode) => {
    verifies('P2');
    await server.plan(exception('before', code, symbol));
    await expect(harness.store().append(entries)).rejects.toMatchObject({
      name: 'TransientError',
      code: errorCode,
    });
    await harness.store().append(entries);
    expect(await count()).toBe(entries.length);
  });

  test('a replica that lags (289) makes the read-back fail, and never a gap', async () => {
    await server.plan({
      statement: 'SELECT log, seq, leaf',
      when: 'before',
      exception: { code: 289, symbol: 'REPLICA_IS_NOT_IN_QUORUM', message: 'lags' },
    });
    await expect(harness.store().append(entries)).rejects.toMatchObject({ code: 'unavailable' });
    await harness.store().append(entries);
    expect(await count()).toBe(entries.length);
  });
});

describe('a server that is killed', () => {
  test('after it stored the rows and before it said so: they are there once', async () => {
    verifies('P2');
    await server.plan({ statement: INSERT, when: 'after', die: true });
    await expect(harness.store().append(entries)).rejects.toMatchObject({ code: 'unavailable' });
    await server.restart();
    await harness.store().append(entries);
    await harness.store().expectStored(entries);
    expect(await count()).toBe(entries.length);
  });

  test('again and again under a writer loses nothing and doubles nothing that is not equal', async () => {
    verifies('P2', 'P3');
    const total = 3000;
    const topic = memoryTopic('custody.events', START_MS);
    const state = memoryState();
    await topic.append(records(total));
    const writer = ledgerOf({
      store: harness.store(),
      state,
      events: topic,
      config: { batch_max_records: 100 },
    });
    await writer.start();
    for (const faults of [
      [{ statement: INSERT, when: 'after', die: true }],
      [{ statement: INSERT, when: 'before', die: true }],
      [{ statement: 'SELECT log, seq, leaf', when: 'before', die: true }],
      [{ statement: 'SELECT log, seq, leaf', when: 'after', die: true }],
    ] satisfies Fault[][]) {
      const died = server.died();
      await server.plan(...faults);
      await died;
      await server.restart();
    }
    await topic.drained('ledger');
    await writer.stop();
    const report = await verify(harness.store(), topic, state);
    expect(report).toMatchObject({ verdict: 'valid', entries: total + 1, findings: [], checks_not_done: [] });
  });
});

describe('a second writer', () => {
  test('of the same records in other batches adds equal rows, which are counted and leave the store valid', async () => {
    verifies('P3', 'P4');
    const topic = memoryTopic('custody.events', START_MS);
    await topic.append(records(600));
    const other = await openServerStore(accessTo(server));
    const state = memoryState();
    const writers = [
      ledgerOf({ store: harness.store(), state, events: topic, config: { batch_max_records: 70 } }),
      ledgerOf({
        store: other,
        state: memoryState(),
        events: { ...topic },
        config: { batch_max_records: 110 },
      }),
    ];
    for (const writer of writers) await writer.start();
    await topic.drained('ledger');
    await Promise.all(writers.map((writer) => writer.stop()));
    await other.close();
    const rows = Number(await count());
    expect(rows).toBeGreaterThan(601);
    expect(await harness.rows('SELECT uniqExact(leaf) FROM custody.entries')).toEqual([[601]]);
    const report = await verify(harness.store(), topic, state);
    expect(report).toMatchObject({ verdict: 'valid', duplicates: rows - 601, findings: [] });
    for (const number of [13, 15, 16, 44] as const) twin(number, 'writer');
  });

  test('of the same records in the same batches adds nothing', async () => {
    verifies('P2');
    const other = await openServerStore(accessTo(server));
    await Promise.all([harness.store().append(entries), other.append(entries)]);
    await other.close();
    expect(await count()).toBe(entries.length);
  });

  test('whose late rows are a part of a batch that then fails is no gap: the batch goes in after it', async () => {
    verifies('P2', 'P3');
    await harness.store().append(entries.slice(0, 60));
    await server.plan(exception('before', 286, 'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE'));
    await expect(harness.store().append(entries)).rejects.toBeInstanceOf(TransientError);
    await harness.store().append(entries);
    await harness.store().expectStored(entries);
    expect(await count()).toBe(60 + entries.length);
    expect(await harness.rows('SELECT uniqExact(leaf) FROM custody.entries')).toEqual([[entries.length]]);
  });

  test('of other records at the same places is refused: FORK', async () => {
    verifies('P4');
    const forged = sealed(records(100).map((record) => ({ ...record, appendTimeMs: START_MS + 1 })));
    const other = await openServerStore(accessTo(server));
    const both = await Promise.allSettled([harness.store().append(entries), other.append(forged)]);
    const refused = both.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(IntegrityError);
      expect((reason as Error).message).toContain('FORK: the store holds leaf');
    }
    // Whoever came first and read back before the other wrote hears of it the next time.
    await expect(harness.store().expectStored(entries)).rejects.toThrow(/FORK/);
    await other.close();
    const topic = memoryTopic('custody.events', START_MS);
    await topic.append(records(100));
    const report = await verify(harness.store(), topic, memoryState());
    expect(report.verdict).toBe('invalid');
    attack(16, 'writer', 'FORK');
  });

  test('is refused at the first entry that differs, and its batch is not called stored', async () => {
    verifies('P4');
    await harness.store().append(entries);
    const changed = entries.map((entry, index): SealedEntry =>
      index === 50 ? { ...entry, leaf: 'ab'.repeat(32) } : entry,
    );
    await expect(harness.store().expectStored(changed)).rejects.toThrow(/seq 50: FORK/);
  });
});
