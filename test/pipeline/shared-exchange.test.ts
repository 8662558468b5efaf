import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EpochChanges, SharedChange } from '../../detectors/engine/shared-statistics.ts';
import { createSharedExchange } from '../../pipeline/shared-exchange.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { openEmbeddedLog, type EmbeddedLog } from '../../streams/embedded/open-log.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

let directory: string;
let log: EmbeddedLog;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-shared-'));
  log = await openEmbeddedLog({ directory, config: embeddedLogConfig(), clock: systemClock });
});
afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

const metrics = createMetrics();
const exchangeOf = (waitMs: number, keptEpochs = 100) =>
  createSharedExchange({
    log,
    partitions: 2,
    keptEpochs,
    waitMs,
    logger: createLogger({ level: 'silent' }),
    metrics,
  });
const claim = (partition: number) => log.claim({ area: 'detect', topic: 'custody.events', partition });
const told = (partition: number, epoch: number, ...changes: SharedChange[]): EpochChanges => ({
  partition,
  epoch,
  changes: { 'novel-chain': changes },
});
const incomplete = async () => (await metrics.sharedIncomplete.get()).values[0]?.value ?? 0;

describe('the exchange of shared statistics', () => {
  it('gives the changes of all partitions by epoch and then by partition, whoever told them first', async () => {
    const exchange = exchangeOf(60_000);
    const [zero, one] = [await claim(0), await claim(1)];
    await exchange.tell(one, told(1, 5, [7, 1, 1]), 5);
    await exchange.tell(zero, told(0, 6, [8, 2, -1]), 6);
    await exchange.tell(zero, told(0, 5, [7, 2, 1]), 6);
    expect(await exchange.hear(4, 5)).toEqual({
      complete: true,
      changes: [told(0, 5, [7, 2, 1]), told(1, 5, [7, 1, 1])],
    });
    expect(await exchange.hear(5, 5)).toEqual({ complete: true, changes: [] });
  });

  it('waits for a partition that is behind', async () => {
    const exchange = exchangeOf(60_000);
    await exchange.tell(await claim(0), told(0, 5), 5);
    const early = await exchange.hear(-1, 5);
    expect(early.complete).toBe(false);
    await exchange.tell(await claim(1), told(1, 3), 5);
    expect(await exchange.hear(3, 5)).toEqual({ complete: true, changes: [told(0, 5)] });
  });

  it('goes on without a partition that stays behind, and counts it', async () => {
    const before = await incomplete();
    const exchange = exchangeOf(0);
    await exchange.tell(await claim(0), told(0, 5, [7, 1, 1]), 5);
    expect(await exchange.hear(4, 5)).toEqual({ complete: true, changes: [told(0, 5, [7, 1, 1])] });
    expect(await incomplete()).toBe(before + 1);
  });

  it('takes what an earlier owner tells late for nothing', async () => {
    const exchange = exchangeOf(60_000);
    const sleeping = await claim(0);
    await exchange.tell(await claim(0), told(0, 6), 6);
    await expect(exchange.tell(sleeping, told(0, 5), 5)).rejects.toThrow('claimed again');
  });

  it('keeps epochs only as long as records can be replayed from them', async () => {
    const exchange = exchangeOf(60_000, 3);
    const [zero, one] = [await claim(0), await claim(1)];
    for (let epoch = 1; epoch <= 10; epoch += 1) await exchange.tell(zero, told(0, epoch), epoch);
    await exchange.tell(one, told(1, 10), 10);
    const heard = await exchange.hear(-1, 10);
    expect(heard).toMatchObject({ complete: true });
    expect('changes' in heard ? heard.changes.map(({ epoch }) => epoch) : []).toEqual([8, 9, 10, 10]);
  });
});
