import { afterAll, beforeAll, expect, it } from 'vitest';
import { TransientError } from '../../runtime/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema } from '../../schemas/config.ts';
import { createDelivery } from '../../sinks/delivery.ts';
import { createLedgerWriter } from '../../sinks/store/ledger-writer.ts';
import type { Topic } from '../../streams/topic.ts';
import { sampleAlert } from '../sinks/siem/sample-alert.ts';
import { START_MS, startStore, type StoreHarness } from '../sinks/store/ledger-harness.ts';
import { memoryLog, memoryState, memoryTopic, type MemoryTopic } from '../support/memory-topic.ts';

const INTERRUPTIONS = 8;

let harness: StoreHarness;
beforeAll(async () => {
  harness = await startStore();
});
afterAll(() => harness.close());

/** A topic whose consuming breaks off after every batch, as over a network that comes and goes. */
function interrupted(topic: MemoryTopic): Topic {
  return {
    ...topic,
    async consume(options) {
      const over = new AbortController();
      await topic.consume({
        ...options,
        maxBatchRecords: 1,
        signal: AbortSignal.any([options.signal, over.signal]),
        async handle(batch, lease) {
          await options.handle(batch, lease);
          over.abort();
        },
      });
      if (!options.signal.aborted) throw new TransientError('unavailable', 'cannot read: injected');
    },
  };
}

/** What was said about interruptions: the attempts that were counted. */
function counting(): { readonly logger: Logger; readonly attempts: number[] } {
  const attempts: number[] = [];
  const logger = createLogger({ level: 'silent' });
  const warn = (fields: { attempt: number }) => void attempts.push(fields.attempt);
  return { logger: Object.assign(Object.create(logger) as Logger, { warn }), attempts };
}

it('the ledger waits no longer after the last of many interruptions than after the first, when it wrote in between', async () => {
  const events = memoryTopic('custody.events', START_MS);
  await events.append(
    Array.from({ length: INTERRUPTIONS }, () => ({ key: 'acme', value: Buffer.from('{}') })),
  );
  const { logger, attempts } = counting();
  const writer = createLedgerWriter({
    topics: {
      events: interrupted(events),
      alerts: memoryTopic('custody.alerts', START_MS),
      deadletter: memoryTopic('custody.deadletter', START_MS),
    },
    store: harness.store(),
    log: memoryLog(memoryState()),
    deployment: 'test',
    config: { ...configSchema.parse({}).ledger, linger_ms: 0 },
    logger,
    metrics: createMetrics(),
    onIntegrity: (error) => expect.fail(error.message),
    random: () => 0,
  });
  await writer.start();
  await events.drained('ledger');
  await writer.stop();
  expect(attempts.length).toBeGreaterThanOrEqual(INTERRUPTIONS - 1);
  expect(new Set(attempts)).toEqual(new Set([0]));
});

it('a sink waits no longer after the last of many interruptions than after the first, when it delivered in between', async () => {
  const alerts = memoryTopic('custody.alerts', START_MS);
  await alerts.append(
    Array.from({ length: INTERRUPTIONS }, (_, n) => ({
      key: 'acme',
      value: Buffer.from(JSON.stringify(sampleAlert(n))),
    })),
  );
  const { logger, attempts } = counting();
  const delivery = createDelivery({
    topic: interrupted(alerts),
    deadletter: memoryTopic('custody.deadletter', START_MS),
    sink: {
      name: 'sink_counting',
      id: 'a',
      acknowledgement: 'receiver',
      start: () => Promise.resolve(),
      write: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    },
    clock: systemClock,
    logger,
    metrics: createMetrics(),
    onIntegrity: (error) => expect.fail(error.message),
    random: () => 0,
  });
  await delivery.start();
  await alerts.drained('sink.a');
  await delivery.stop();
  expect(attempts.length).toBeGreaterThanOrEqual(INTERRUPTIONS - 1);
  expect(new Set(attempts)).toEqual(new Set([0]));
});
