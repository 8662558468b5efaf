import { backoffMs, sleep as realSleep } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Component } from '../runtime/component.ts';
import {
  type CustodyError,
  InputError,
  type IntegrityError,
  PermanentError,
  TransientError,
} from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { supervise } from '../runtime/supervise.ts';
import { traced } from '../runtime/tracing.ts';
import type { Alert } from '../schemas/alert.ts';
import type { SinkConfig } from '../schemas/config.ts';
import type { Batch, ConsumedRecord, Lease, Topic } from '../streams/topic.ts';
import { deadLetter, readAlert } from './dead-letter.ts';
import { createRecentIds } from './recent-ids.ts';
import { SinkPausedError, type Sink } from './sink.ts';

export interface DeliveryOptions {
  /** `custody.alerts`. */
  readonly topic: Topic;
  /** `custody.deadletter`. */
  readonly deadletter: Topic;
  readonly sink: Sink;
  readonly retry?: SinkConfig['retry'] | undefined;
  /** Also alerts of rules on trial and silenced ones. */
  readonly includeShadow?: boolean | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Key of the digest kept of an undeliverable alert; without it no digest is kept. */
  readonly digestKey?: Uint8Array | undefined;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Called for a partition, or the topic, whose delivery stopped because the log contradicts itself. */
  readonly onIntegrity: (error: IntegrityError, place: string) => void;
  /** A bug, not a failure of the destination. Default: thrown where nobody catches it, which ends the process. */
  readonly onBug?: (error: unknown) => void;
}

const defaultRetry = { base_ms: 500, cap_ms: 60_000 };
/** Alerts one process remembers as delivered, so that a batch handed over again does not send them twice. */
const RECENT_MAX_COUNT = 10_000;
const BATCH_MAX_COUNT = 500;
/** A receiver may ask for patience, not for silence. */
const RETRY_AFTER_MAX_MS = 3_600_000;
/** How long `stop` lets a running attempt finish. */
const STOP_GRACE_MS = 5_000;

interface Item {
  readonly alert: Alert;
  readonly record: ConsumedRecord;
}

/** Waiting for a retry was cut short: `stop`, or the partition moves; nothing of the batch is committed. */
class Stopped extends Error {}

/**
 * Carries alerts from the log to one sink: consumer group `sink.<id>`, committed only after the sink took the alerts
 * or a dead letter about them is durable. What is on trial or silenced is not for sinks, unless the configuration says so. Transient failures are retried for ever with full-jitter back-off
 * (`Retry-After` wins); a refused batch is halved until the single alert is found. Independent of every other sink.
 */
export function createDelivery(options: DeliveryOptions): Component {
  const { topic, deadletter, sink, clock, logger, metrics } = options;
  const retry = options.retry ?? defaultRetry;
  const random = options.random ?? Math.random;
  const sleep = options.sleep ?? realSleep;
  const stage = `sink.${sink.id}`;
  const recent = createRecentIds(RECENT_MAX_COUNT);
  const stopping = new AbortController();
  const grace = new AbortController();
  let running: Promise<void> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  /** Partitions are handled at the same time, a sink takes one batch at a time. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  /** Repeats until it works, the process stops, or the failure is not transient. */
  const persist = async (lease: Lease, attemptOnce: () => Promise<void>): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      if (lease.signal.aborted) throw new Stopped();
      try {
        await attemptOnce();
        metrics.sinkPaused.set({ sink: sink.id }, 0);
        return;
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        await pause(error, attempt, lease);
      }
    }
  };

  const pause = async (error: TransientError, attempt: number, lease: Lease): Promise<void> => {
    metrics.sinkRetries.inc({ sink: sink.id, code: error.code });
    const paused = error instanceof SinkPausedError;
    metrics.sinkPaused.set({ sink: sink.id }, paused ? 1 : 0);
    const waitMs = Math.min(error.retryAfterMs ?? backoffMs(attempt, retry, random), RETRY_AFTER_MAX_MS);
    const note = { sink: sink.id, code: error.code, reason: error.message, attempt, waitMs };
    if (paused) logger.error(note, 'sink refuses alerts until somebody acts; they are kept and tried again');
    else logger.warn(note, 'sink failed; the alerts will be tried again');
    await sleep(waitMs, lease.signal);
  };

  const deliver = async (items: readonly Item[], lease: Lease): Promise<void> => {
    const [first] = items;
    if (first === undefined) return;
    try {
      const alerts = items.map(({ alert }) => alert);
      const attributes = { 'custody.sink': sink.id, 'messaging.batch.message_count': alerts.length };
      await persist(lease, () =>
        traced('custody.sink.write', attributes, () => sink.write(alerts, grace.signal)),
      );
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      if (items.length === 1) {
        await giveUp(first.record, error, lease, first.alert);
        return;
      }
      const middle = Math.ceil(items.length / 2);
      await deliver(items.slice(0, middle), lease);
      await deliver(items.slice(middle), lease);
      return;
    }
    for (const { alert } of items) recent.add(alert.alert_id);
    metrics.sinkDelivered.inc({ sink: sink.id }, items.length);
  };

  const giveUp = async (
    record: ConsumedRecord,
    error: CustodyError,
    lease: Lease,
    alert?: Alert,
  ): Promise<void> => {
    const letter = deadLetter(record, error, alert, {
      stage,
      nowMs: clock.nowMs(),
      digestKey: options.digestKey,
    });
    const value = Buffer.from(JSON.stringify(letter));
    await persist(lease, async () => {
      await deadletter.append([{ key: record.key, value }]);
    });
    if (alert !== undefined) recent.add(alert.alert_id);
    metrics.sinkDeadLetters.inc({ sink: sink.id });
    metrics.dropped.inc({ stage: 'sink', reason: error.code });
    logger.error(
      { sink: sink.id, alert_id: alert?.alert_id, code: error.code, reason: error.message },
      'alert cannot be delivered to this sink; kept as a dead letter',
    );
  };

  const handle = async (batch: Batch, lease: Lease): Promise<void> => {
    const items: Item[] = [];
    const seen = new Set<string>();
    for (const record of batch.records) {
      const alert = readAlert(record);
      if (alert instanceof InputError) {
        await giveUp(record, alert, lease);
        continue;
      }
      if (recent.has(alert.alert_id) || seen.has(alert.alert_id)) continue;
      if (alert.mode !== undefined && options.includeShadow !== true) {
        metrics.sinkWithheld.inc({ sink: sink.id, mode: alert.mode });
        continue;
      }
      seen.add(alert.alert_id);
      items.push({ alert, record });
    }
    const size = sink.batchMaxCount ?? BATCH_MAX_COUNT;
    for (let from = 0; from < items.length; from += size)
      await deliver(items.slice(from, from + size), lease);
  };

  const consume = (progressed: () => void): Promise<void> =>
    topic
      .consume({
        group: stage,
        handle: async (batch, lease) => {
          await inTurn(() => handle(batch, lease));
          progressed();
        },
        refused: (partition, error) => options.onIntegrity(error, `${topic.name}/${partition}`),
        maxBatchRecords: BATCH_MAX_COUNT,
        signal: stopping.signal,
      })
      .catch((error: unknown) => {
        if (!(error instanceof Stopped)) throw error;
      });

  return {
    name: `delivery_${sink.id}`,
    async start() {
      await sink.start();
      const onBug = options.onBug ?? throwUncaught;
      running = supervise({
        about: { stage },
        onIntegrity: (error) => options.onIntegrity(error, topic.name),
        run: consume,
        signal: stopping.signal,
        logger,
        retry,
        random,
      }).catch((error: unknown) => {
        if (!stopping.signal.aborted) onBug(error);
        else logger.error({ sink: sink.id, err: error }, 'delivery failed while stopping');
      });
    },
    async stop() {
      stopping.abort();
      const timer = setTimeout(() => grace.abort(), STOP_GRACE_MS);
      await running;
      clearTimeout(timer);
      await sink.stop();
    },
  };
}

function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
