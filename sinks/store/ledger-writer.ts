import { createEntryBuilder, type EntryBuilder, type LogSource } from '../../evidence/entry-builder.ts';
import { backoffMs, sleep } from '../../runtime/backoff.ts';
import type { Component } from '../../runtime/component.ts';
import { CustodyError, IntegrityError, MovedError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { supervise } from '../../runtime/supervise.ts';
import { traced } from '../../runtime/tracing.ts';
import type { LedgerConfig } from '../../schemas/config.ts';
import type { Batch, Claim, Lease, Log, Topic } from '../../streams/topic.ts';
import { byDay } from './by-day.ts';
import { headChanges } from './ledger-heads.ts';
import { resumeLedger } from './ledger-resume.ts';
import type { Store } from './store.ts';

export interface LedgerWriterOptions {
  readonly topics: { readonly events: Topic; readonly alerts: Topic; readonly deadletter: Topic };
  readonly store: Store;
  readonly log: Pick<Log, 'claim'>;
  /** First part of every log id. */
  readonly deployment: string;
  readonly config: LedgerConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Called for a partition, or a topic, whose writing stopped because stored evidence contradicts the log. */
  readonly onIntegrity: (error: IntegrityError, place: string) => void;
  /** Randomness of the retry delays. */
  readonly random?: () => number;
}

/** Consumer group of the ledger. */
export const LEDGER_GROUP = 'ledger';
const RETRY = { base_ms: 100, cap_ms: 10_000 };

interface PartitionWriter {
  readonly source: LogSource;
  readonly claim: Claim;
  readonly builder: EntryBuilder;
  readonly storedUpTo: bigint;
}

/**
 * Writes every record of the three topics into the store: one entry per record, in log order (promise P2). Per batch:
 * build, insert one day after the other, read back, record the heads, and only then let the topic commit the offset.
 * A crash at any point is repaired by the normal path, which builds the same bytes again and compares (promise P3).
 * Any other failure is retried for as long as it takes; the topic keeps the records meanwhile.
 *
 * In a fleet a partition can move while its writer sleeps. A late writer asks for its lease before every insert, its
 * heads go through its claim, which the new owner's claim has ended, and whatever it inserts all the same has the bytes
 * the new owner's entries have: an identical copy, which verification counts.
 */
export function createLedgerWriter(options: LedgerWriterOptions): Component {
  const { store, log, config, logger, metrics } = options;
  const random = options.random ?? Math.random;
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();

  async function retrying<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        if (!isRepeatable(error) || signal.aborted) throw error;
        const delayMs = backoffMs(attempt, RETRY, random);
        logger.warn(
          { code: error.code, attempt, delayMs, err: error },
          'ledger write failed; it will be repeated',
        );
        await sleep(delayMs, signal);
      }
    }
  }

  async function writeBatch(writer: PartitionWriter, batch: Batch, lease: Lease): Promise<void> {
    const entries = batch.records.flatMap((record) => writer.builder.add(record));
    const stored = entries.filter((entry) => entry.offset <= writer.storedUpTo);
    const fresh = entries.slice(stored.length);
    // Days go in oldest first and each at once, so whatever the store has of this batch it has up to one offset.
    for (const day of byDay(stored)) await retrying(lease.signal, () => store.expectStored(day));
    for (const day of byDay(fresh)) {
      const observe = metrics.ledgerInsertSeconds.startTimer();
      await retrying(lease.signal, async () => {
        await lease.confirm();
        await store.append(day);
      });
      observe();
    }
    const changed = new Map(entries.map(({ logId, seq, leaf }) => [logId, { seq, leaf }]));
    const changes = headChanges(writer.source, batch.nextOffset, writer.builder.day, changed);
    await retrying(lease.signal, () => writer.claim.state.write(changes));
    for (const { kind } of entries) metrics.ledgerEntries.inc({ kind });
  }

  async function consume(
    topic: Topic,
    writers: Map<number, PartitionWriter>,
    progressed: () => void,
  ): Promise<void> {
    await topic.consume({
      group: LEDGER_GROUP,
      signal: stopping.signal,
      maxBatchRecords: config.batch_max_records,
      maxBatchBytes: config.batch_max_bytes,
      lingerMs: config.linger_ms,
      async startOffset(partition) {
        const { name, topicId } = topic;
        const source = { deployment: options.deployment, topic: name, topicId, partition };
        await writers.get(partition)?.claim.release();
        const claim = await log.claim({ area: 'ledger', topic: name, partition });
        const resumed = await retrying(stopping.signal, () =>
          resumeLedger(store, claim.state, topic, source),
        ).catch(async (error: unknown) => {
          await claim.release();
          throw error;
        });
        const builder = createEntryBuilder(source, resumed);
        writers.set(partition, { source, claim, builder, storedUpTo: resumed.storedUpTo });
        logger.info({ topic: name, partition, nextOffset: String(resumed.nextOffset) }, 'ledger resumed');
        return resumed.nextOffset;
      },
      refused(partition, error) {
        logger.error({ topic: topic.name, partition, err: error }, 'ledger stopped');
        options.onIntegrity(error, `${topic.name}/${partition}`);
      },
      async lost(partition) {
        const writer = writers.get(partition);
        writers.delete(partition);
        await writer?.claim.release();
      },
      async handle(batch, lease) {
        const writer = writers.get(batch.partition);
        if (writer === undefined) throw new Error(`partition ${batch.partition} was never assigned`);
        const attributes = { 'messaging.batch.message_count': batch.records.length };
        await traced('custody.ledger.batch', attributes, () => writeBatch(writer, batch, lease));
        progressed();
      },
    });
  }

  async function consumeAndRelease(topic: Topic, progressed: () => void): Promise<void> {
    const writers = new Map<number, PartitionWriter>();
    try {
      await consume(topic, writers, progressed);
    } finally {
      await Promise.allSettled([...writers.values()].map(({ claim }) => claim.release()));
    }
  }

  const writeTopic = (topic: Topic): Promise<void> =>
    supervise({
      about: { stage: LEDGER_GROUP, topic: topic.name },
      run: (progressed) => consumeAndRelease(topic, progressed),
      signal: stopping.signal,
      logger,
      onIntegrity: (error) => options.onIntegrity(error, topic.name),
      isRepeatable: (error) => error instanceof CustodyError,
      random,
    });

  return {
    name: 'ledger',
    start() {
      const { events, alerts, deadletter } = options.topics;
      running = Promise.all([events, alerts, deadletter].map(writeTopic));
      return Promise.resolve();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function isRepeatable(error: unknown): error is CustodyError {
  return (
    error instanceof CustodyError && !(error instanceof IntegrityError) && !(error instanceof MovedError)
  );
}
