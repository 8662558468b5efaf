import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { TransientError } from '../../runtime/errors.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import type { LogConfig } from '../../schemas/config.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { Topic, TopicName } from '../../streams/topic.ts';
import { stateStoreContract } from '../contract/state-store.ts';
import { collect, topicContract } from '../contract/topic.ts';
import { type LogHarness, logConfig, startLog } from './embedded-harness.ts';

topicContract('the embedded log', async (partitions) => {
  const harness = await startLog({ partitions });
  return { ...harness, topic: () => harness.log().topic('custody.events') };
});

stateStoreContract('the embedded log', async () => {
  const harness = await startLog();
  return { ...harness, state: () => harness.log().state };
});

const MiB = 1024 * 1024;
const bytes = (text: string) => Buffer.from(text);
const send = (topic: Topic, count: number) =>
  topic.append(Array.from({ length: count }, (_, index) => ({ key: 'a', value: bytes(String(index)) })));
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the embedded log', () => {
  let harness: LogHarness;
  const topic = (name: TopicName = 'custody.events') => harness.log().topic(name);
  const start = async (changes: Partial<LogConfig> = {}) => {
    harness = await startLog(changes);
  };
  afterEach(() => harness.close());

  it('counts offsets from 0 without gaps, apart per topic and partition, across restarts', async () => {
    await start({ partitions: 2 });
    const [one, two] = [
      { key: 'a', value: bytes('1') },
      { key: 'd', value: bytes('2') },
    ];
    const places = await topic().append([one, two, one, two]);
    expect(new Set(places.map(({ partition }) => partition)).size).toBe(2);
    expect(places.map(({ offset }) => offset)).toEqual([0n, 0n, 1n, 1n]);
    await harness.reopen();
    expect((await topic().append([one, two])).map(({ offset }) => offset)).toEqual([2n, 2n]);
    expect((await topic('custody.alerts').append([one])).map(({ offset }) => offset)).toEqual([0n]);
    expect(topic('custody.alerts').topicId).not.toBe(topic().topicId);
  });

  it('takes the append time from the clock and never steps back with it', async () => {
    await start();
    const times: number[] = [];
    for (const nowMs of [1000, 500, 1500.7, 0, 2 ** 41]) {
      harness.clock.set(nowMs);
      times.push((await send(topic(), 1))[0]!.appendTimeMs);
    }
    await harness.reopen();
    harness.clock.set(3);
    times.push((await send(topic(), 1))[0]!.appendTimeMs);
    expect(times).toEqual([1000, 1000, 1500, 1500, 2 ** 41, 2 ** 41]);
    const read: number[] = [];
    for await (const { appendTimeMs } of topic().read(0, 0n)) read.push(appendTimeMs);
    expect(read).toEqual(times);
  });

  it('refuses a key of 1 MB, naming the bound, and writes nothing of that append', async () => {
    await start();
    const append = topic().append([
      { key: 'a', value: bytes('fine') },
      { key: 'k'.repeat(MiB), value: bytes('not') },
    ]);
    await expect(append).rejects.toMatchObject({
      code: 'input_too_large',
      message: `cannot append to custody.events: key of ${MiB} bytes, at most 1024`,
    });
    expect(await topic().bounds(0)).toEqual({ start: 0n, end: 0n });
  });

  it('takes a value of 16 MiB and an append larger than the whole byte bound', async () => {
    await start({ unwritten_max_bytes: MiB });
    const values = [1, 2].map((seed) => Buffer.alloc(16 * MiB, `seed ${seed} `));
    await topic().append(values.map((value) => ({ key: 'a', value })));
    const { records, batches } = await collect(topic(), 2, { group: 'g' });
    expect(batches).toHaveLength(2);
    await send(topic(), 10);
    for (const [index, { value }] of records.entries()) expect(Buffer.compare(value, values[index]!)).toBe(0);
  });

  it('says overloaded beyond the byte bound, writes every append it accepted, and recovers', async () => {
    await start({ unwritten_max_bytes: MiB });
    const value = new Uint8Array(200_000);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => topic().append([{ key: 'a', value }])),
    );
    const refused = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as TransientError] : [],
    );
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every((error) => error instanceof TransientError && error.code === 'overloaded')).toBe(
      true,
    );
    expect((await topic().bounds(0)).end).toBe(BigInt(20 - refused.length));
    await send(topic(), 1);
  });

  it('hands a record over without waiting for a poll', async () => {
    await start();
    const stop = new AbortController();
    let handledAt = 0;
    const consumed = topic().consume({
      group: 'g',
      signal: stop.signal,
      handle: () => {
        handledAt = performance.now();
        stop.abort();
        return Promise.resolve();
      },
    });
    await settled();
    await send(topic(), 1);
    const appendedAt = performance.now();
    await consumed;
    expect(handledAt - appendedAt).toBeLessThan(50);
  });

  it('waits lingerMs for a batch to fill and no longer than it needs', async () => {
    await start();
    const consumed = collect(topic(), 3, { group: 'g', lingerMs: 20_000, maxBatchRecords: 3 });
    for (let count = 0; count < 3; count += 1) await send(topic(), 1);
    const { batches } = await consumed;
    expect(batches.map(({ records }) => records.length)).toEqual([3]);
  });

  it('does not linger when the next record has no room in the batch, there already or arriving', async () => {
    await start();
    const record = () => topic().append([{ key: 'a', value: new Uint8Array(600) }]);
    const options = { group: 'g', lingerMs: 20_000, maxBatchBytes: 1000 };
    await record();
    await record();
    const there = await collect(topic(), 1, options);
    expect(there.records.map(({ offset }) => offset)).toEqual([0n]);
    const waiting = collect(topic(), 1, options);
    await settled();
    await record();
    expect((await waiting).records.map(({ offset }) => offset)).toEqual([1n]);
  });

  it('has put the commit of a group on disk when its consume resolves', async () => {
    await start();
    await send(topic(), 3);
    await collect(topic(), 3, { group: 'g' });
    const copy = await mkdtemp(join(tmpdir(), 'custody-log-'));
    await copyFile(join(harness.directory, 'log.mdb'), join(copy, 'log.mdb'));
    const log = await openEmbeddedLog({ directory: copy, clock: harness.clock, config: logConfig() });
    expect(await log.topic('custody.events').committed('g', 0)).toBe(3n);
    await log.close();
    await rm(copy, { recursive: true });
  });

  it('copies what it is given at the call, before it is written', async () => {
    await start();
    const value = bytes('before');
    const append = topic().append([{ key: 'a', value }]);
    const write = harness.log().state.write([{ name: 'a', value }]);
    value.fill(0);
    await Promise.all([append, write]);
    expect((await collect(topic(), 1, { group: 'g' })).records[0]!.value.toString()).toBe('before');
    expect((await harness.log().state.read('a'))!.toString()).toBe('before');
  });

  it('drops a half-filled batch on abort and delivers it next time', async () => {
    await start();
    await send(topic(), 2);
    const stop = new AbortController();
    let calls = 0;
    const consumed = topic().consume({
      group: 'g',
      signal: stop.signal,
      lingerMs: 20_000,
      handle: () => {
        calls += 1;
        return Promise.resolve();
      },
    });
    await settled();
    stop.abort();
    await consumed;
    expect(calls).toBe(0);
    expect((await collect(topic(), 2, { group: 'g' })).records).toHaveLength(2);
  });

  it('lets a fast group finish while a slow one is still in its first batch', async () => {
    await start();
    await send(topic(), 500);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const stop = new AbortController();
    let slowRecords = 0;
    const slow = topic().consume({
      group: 'slow',
      maxBatchRecords: 100,
      signal: stop.signal,
      handle: async ({ records }) => {
        await held;
        slowRecords += records.length;
        if (slowRecords === 500) stop.abort();
      },
    });
    const fast = await collect(topic(), 500, { group: 'fast' });
    expect(fast.records).toHaveLength(500);
    expect(slowRecords).toBe(0);
    release();
    await slow;
    expect(slowRecords).toBe(500);
  });

  it('never gives a handler more than the default bounds', async () => {
    await start();
    await send(topic(), 2500);
    const { batches } = await collect(topic(), 2500, { group: 'g' });
    expect(batches.map(({ records }) => records.length)).toEqual([1000, 1000, 500]);
  });

  it('ends every partition when the handler of one rejects', async () => {
    await start({ partitions: 4 });
    const keys = Array.from({ length: 16 }, (_, index) => `key-${index}`);
    await topic().append(keys.map((key) => ({ key, value: bytes('x') })));
    const failure = new Error('handler failed');
    const consumed = topic().consume({
      group: 'g',
      signal: new AbortController().signal,
      handle: ({ partition }) => (partition === 2 ? Promise.reject(failure) : Promise.resolve()),
    });
    await expect(consumed).rejects.toBe(failure);
    const { records } = await collect(topic(), 1, { group: 'g' });
    expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([2]));
  });

  it('refuses a second consumer of a group, a bad group name, and a position beyond the end', async () => {
    await start();
    const stop = new AbortController();
    const handle = () => Promise.resolve();
    const first = topic().consume({ group: 'g', signal: stop.signal, handle });
    const { signal } = stop;
    await expect(topic().consume({ group: 'g', signal, handle })).rejects.toMatchObject({ code: 'rejected' });
    await expect(topic().consume({ group: 'a/b', signal, handle })).rejects.toMatchObject({
      code: 'rejected',
    });
    const beyond = { group: 'h', signal, handle, startOffset: () => Promise.resolve(5n) };
    await expect(topic().consume(beyond)).rejects.toMatchObject({ code: 'integrity' });
    stop.abort();
    await first;
  });

  it('refuses a partition that does not exist', async () => {
    await start();
    await expect(topic().bounds(1)).rejects.toMatchObject({ code: 'rejected' });
    await expect(topic().committed('g', 1)).rejects.toMatchObject({ code: 'rejected' });
    await expect(topic().read(1, 0n)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'rejected',
    });
  });

  it('refuses another partition count than it was made with, naming the setting', async () => {
    await start({ partitions: 2 });
    await harness.log().close();
    const { directory, clock } = harness;
    const opened = openEmbeddedLog({ directory, clock, config: logConfig({ partitions: 3 }) });
    await expect(opened).rejects.toMatchObject({ code: 'config_invalid', path: 'log.partitions' });
    await (await openEmbeddedLog({ directory, clock, config: logConfig({ partitions: 2 }) })).close();
  });

  it('can be closed, read and closed again, any number of times', async () => {
    await start();
    await send(topic(), 3);
    for (let round = 0; round < 3; round += 1) {
      await harness.reopen();
      let count = 0;
      for await (const { value } of topic().read(0, 0n)) count += value.length;
      expect(count).toBe(3);
    }
    await harness.log().close();
    await harness.log().close();
  });

  it('answers every call after close with a clear error', async () => {
    await start();
    await send(topic(), 3);
    const { state } = harness.log();
    await state.write([{ name: 'a', value: bytes('1') }]);
    const closed = topic();
    await harness.log().close();
    const unavailable = { code: 'unavailable' };
    await expect(send(closed, 1)).rejects.toMatchObject(unavailable);
    await expect(collect(closed, 1, { group: 'g' })).rejects.toMatchObject(unavailable);
    await expect(closed.read(0, 0n)[Symbol.asyncIterator]().next()).rejects.toMatchObject(unavailable);
    await expect(state.read('a')).rejects.toMatchObject(unavailable);
    await expect(state.write([{ name: 'a', value: bytes('2') }])).rejects.toMatchObject(unavailable);
    await expect(state.entries('')[Symbol.asyncIterator]().next()).rejects.toMatchObject(unavailable);
  });

  it('ends open iterations on close without harm', async () => {
    await start();
    await send(topic(), 1500);
    await harness
      .log()
      .state.write(
        Array.from({ length: 50 }, (_, index) => ({ name: `n${index}`, value: new Uint8Array(5000) })),
      );
    const records = topic().read(0, 0n)[Symbol.asyncIterator]();
    const entries = harness.log().state.entries('')[Symbol.asyncIterator]();
    await records.next();
    await entries.next();
    await harness.log().close();
    await expect(entries.next()).rejects.toMatchObject({ code: 'unavailable' });
    const rest = async () => {
      while ((await records.next()).done !== true);
    };
    await expect(rest()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('waits on close for the handler, which may still append, and then ends consume', async () => {
    await start();
    await send(topic(), 3);
    let entered: () => void = () => undefined;
    const inHandler = new Promise<void>((resolve) => (entered = resolve));
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const order: string[] = [];
    const consumed = topic()
      .consume({
        group: 'g',
        signal: new AbortController().signal,
        handle: async () => {
          entered();
          await held;
          await send(topic('custody.alerts'), 2);
          order.push('handler');
        },
      })
      .then(() => order.push('consume'));
    await inHandler;
    const closed = harness.log().close();
    await settled();
    release();
    await Promise.all([consumed, closed]);
    expect(order).toEqual(['handler', 'consume']);
    await harness.reopen();
    expect(await topic().committed('g', 0)).toBe(3n);
    expect((await topic('custody.alerts').bounds(0)).end).toBe(2n);
  });

  it('settles the appends that were accepted before close', async () => {
    await start();
    const appends = Array.from({ length: 50 }, () => send(topic(), 10));
    const closed = harness.log().close();
    const places = (await Promise.all(appends)).flat();
    await closed;
    await harness.reopen();
    expect((await topic().bounds(0)).end).toBe(BigInt(places.length));
  });

  it('refuses a state name that is empty or too long', async () => {
    await start();
    const { state } = harness.log();
    await expect(state.read('')).rejects.toMatchObject({ code: 'input_too_large' });
    await expect(state.write([{ name: 'n'.repeat(1025), value: bytes('x') }])).rejects.toMatchObject({
      code: 'input_too_large',
    });
  });

  it('reports appended records and the lag of a group', async () => {
    await start();
    await harness.log().close();
    const metrics = createMetrics();
    const { directory, clock } = harness;
    const log = await openEmbeddedLog({ directory, clock, config: logConfig(), metrics });
    await send(log.topic('custody.events'), 7);
    await collect(log.topic('custody.events'), 5, { group: 'ledger', maxBatchRecords: 5 });
    const text = await metrics.registry.metrics();
    expect(text).toContain('custody_topic_appended_total{topic="custody.events"} 7');
    expect(text).toContain('custody_topic_lag_records{topic="custody.events",group="ledger"} 2');
    await log.close();
  });
});
