import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../runtime/metrics.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { Topic } from '../../streams/topic.ts';
import { collect } from '../contract/topic.ts';
import { type LogHarness, logConfig, startLog } from './embedded-harness.ts';

const HOUR_MS = 3_600_000;
let harness: LogHarness;
const topic = (): Topic => harness.log().topic('custody.events');
const append = (count: number, size = 10) =>
  topic().append(Array.from({ length: count }, () => ({ key: 'a', value: new Uint8Array(size) })));

beforeEach(async () => {
  harness = await startLog({ retention_hours: 1 });
});
afterEach(() => harness.close());

describe('retention', () => {
  it('removes what is older than the retention time and the ledger has taken', async () => {
    await append(1700);
    harness.clock.set(harness.clock.nowMs() + 2 * HOUR_MS);
    await append(10);
    await collect(topic(), 1710, { group: 'ledger' });
    expect(await harness.log().retain()).toEqual({ removedCount: 1700 });
    expect(await topic().bounds(0)).toEqual({ start: 1700n, end: 1710n });
    const offsets: bigint[] = [];
    for await (const { offset } of topic().read(0, 0n)) offsets.push(offset);
    expect(offsets).toEqual(Array.from({ length: 10 }, (_, index) => BigInt(1700 + index)));
    expect(await harness.log().retain()).toEqual({ removedCount: 0 });
  });

  it('keeps what a protected group has not taken, however old', async () => {
    await append(100);
    harness.clock.set(harness.clock.nowMs() + 1000 * HOUR_MS);
    await collect(topic(), 100, { group: 'other' });
    expect(await harness.log().retain()).toEqual({ removedCount: 0 });
    await collect(topic(), 40, { group: 'ledger', maxBatchRecords: 40 });
    expect(await harness.log().retain()).toEqual({ removedCount: 40 });
    await collect(topic(), 60, { group: 'ledger' });
    await collect(topic(), 10, {
      group: 'detect',
      startOffset: () => Promise.resolve(40n),
      maxBatchRecords: 10,
    });
    expect(await harness.log().retain({ protectedGroups: () => ['ledger', 'detect'] })).toEqual({
      removedCount: 10,
    });
    expect(await topic().bounds(0)).toEqual({ start: 50n, end: 100n });
  });

  it('protects groups per topic', async () => {
    const alerts = harness.log().topic('custody.alerts');
    await append(5);
    await alerts.append([{ key: 'a', value: new Uint8Array(1) }]);
    await collect(topic(), 5, { group: 'detect' });
    await collect(alerts, 1, { group: 'siem' });
    const result = await harness.log().retain({
      beforeMs: harness.clock.nowMs() + 1,
      protectedGroups: (name) => (name === 'custody.events' ? ['detect'] : ['siem', 'never-started']),
    });
    expect(result).toEqual({ removedCount: 5 });
    expect(await alerts.bounds(0)).toEqual({ start: 0n, end: 1n });
  });

  it('never gives an offset or a time twice, even when everything is gone and the log restarts', async () => {
    const [first] = await append(1);
    harness.clock.set(harness.clock.nowMs() + 2 * HOUR_MS);
    await collect(topic(), 1, { group: 'ledger' });
    expect(await harness.log().retain()).toEqual({ removedCount: 1 });
    await harness.reopen();
    expect(await topic().bounds(0)).toEqual({ start: 1n, end: 1n });
    harness.clock.set(0);
    const [next] = await append(1);
    expect(next).toEqual({ ...first, offset: 1n });
  });

  it('stops between chunks when asked to', async () => {
    await append(1200);
    await collect(topic(), 1200, { group: 'ledger' });
    const stop = new AbortController();
    const retaining = harness.log().retain({ beforeMs: harness.clock.nowMs() + 1, signal: stop.signal });
    stop.abort();
    expect((await retaining).removedCount).toBe(500);
    expect((await topic().bounds(0)).start).toBe(500n);
  });

  it('lets appends through while it removes', async () => {
    await append(5000);
    await collect(topic(), 5000, { group: 'ledger' });
    const order: string[] = [];
    const retaining = harness
      .log()
      .retain({ beforeMs: harness.clock.nowMs() + 1 })
      .then(() => order.push('retained'));
    await append(1);
    order.push('appended');
    await retaining;
    expect(order).toEqual(['appended', 'retained']);
  });

  it('makes room again after the configured size was reached', async () => {
    await harness.reopen({ map_max_bytes: 4 * 1024 * 1024 });
    let count = 0;
    const fill = async () => {
      for (;;) {
        await append(10, 20_000);
        count += 10;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'disk_full' });
    expect(count).toBeGreaterThan(50);
    await collect(topic(), count, { group: 'ledger' });
    await harness.log().retain({ beforeMs: harness.clock.nowMs() + 1 });
    await append(10, 20_000);
  });

  it('counts what a group that is not protected has lost, and moves it on', async () => {
    await append(30);
    await collect(topic(), 10, { group: 'slow', maxBatchRecords: 10 });
    await collect(topic(), 30, { group: 'ledger' });
    await harness.log().retain({ beforeMs: harness.clock.nowMs() + 1 });
    await harness.log().close();
    const metrics = createMetrics();
    const { directory, clock } = harness;
    const log = await openEmbeddedLog({ directory, clock, config: logConfig(), metrics });
    await log.topic('custody.events').append([{ key: 'a', value: Buffer.from('next') }]);
    const { records } = await collect(log.topic('custody.events'), 1, { group: 'slow' });
    expect(records.map(({ offset }) => offset)).toEqual([30n]);
    expect(await metrics.registry.metrics()).toContain(
      'custody_dropped_total{stage="slow",reason="retention"} 20',
    );
    await log.close();
  });

  it('makes a stage that keeps its own position stop when records it needs are gone', async () => {
    await append(30);
    await collect(topic(), 30, { group: 'ledger' });
    await harness.log().retain({ beforeMs: harness.clock.nowMs() + 1 });
    const consumed = collect(topic(), 1, { group: 'detect', startOffset: () => Promise.resolve(10n) });
    await expect(consumed).rejects.toMatchObject({
      code: 'integrity',
      message: 'cannot consume custody.events partition 0 from offset 10: the log holds 30 to 30',
    });
  });
});
