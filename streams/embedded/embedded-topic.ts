import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../runtime/clock.ts';
import { PermanentError, TransientError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { ConsumeOptions, RecordPlace, Topic, TopicName } from '../topic.ts';
import { type CommittedOffsets, refuseBadGroup } from './committed-offsets.ts';
import { consumePartitions, type Position } from './consume.ts';
import { type PartitionLog, unwrittenBytes } from './partition-log.ts';
import { partitionForKey } from '../partition-for-key.ts';
import { type EncodedRecord, encodeRecords } from './record-codec.ts';
import type { Writer } from './writer.ts';

export interface EmbeddedTopicParts {
  readonly name: TopicName;
  readonly topicId: string;
  readonly logs: readonly PartitionLog[];
  readonly writer: Writer;
  readonly offsets: CommittedOffsets;
  readonly clock: Clock;
  readonly metrics: Metrics | undefined;
  readonly logger: Logger | undefined;
  /** Aborts when the log closes: running `consume` calls then resolve. */
  readonly closing: AbortSignal;
  /** Running `consume` calls; closing waits for them. */
  readonly running: Set<Promise<void>>;
}

const READ_LIMITS = { records: 1000, bytes: 4 * 1024 * 1024 };

interface Share {
  readonly log: PartitionLog;
  readonly records: EncodedRecord[];
  /** Where the records stand in the call. */
  readonly indexes: number[];
}

function shareOut(logs: readonly PartitionLog[], records: readonly EncodedRecord[]): Share[] {
  const shares = logs.map((log): Share => ({ log, records: [], indexes: [] }));
  for (const [index, record] of records.entries()) {
    const share = shares[partitionForKey(record.keyBytes, logs.length)];
    share?.records.push(record);
    share?.indexes.push(index);
  }
  return shares.filter((share) => share.records.length > 0);
}

export function embeddedTopic(parts: EmbeddedTopicParts): Topic {
  const { name, logs, writer, offsets, clock, metrics, logger, closing, running } = parts;
  const consuming = new Set<string>();

  function logOf(partition: number): PartitionLog {
    const log = logs[partition];
    if (log === undefined) {
      throw new PermanentError('rejected', `cannot read ${name}: there is no partition ${partition}`);
    }
    return log;
  }

  function setLag(group: string): void {
    const lag = logs.reduce((sum, log) => {
      const { start, end } = log.bounds();
      return sum + Number(end - (offsets.committed(name, group, log.partition) ?? start));
    }, 0);
    metrics?.lag.set({ topic: name, group }, lag);
  }

  const positionOf = (group: string): Position => ({
    committed: (partition) => offsets.committed(name, group, partition),
    commit(partition, offset) {
      offsets.commit(name, group, partition, offset);
      setLag(group);
    },
    missed(partition, count) {
      metrics?.dropped.inc({ stage: group, reason: 'retention' }, Number(count));
      logger?.warn(
        { topic: name, group, partition, count: String(count) },
        'retention removed unread records',
      );
    },
  });

  async function runConsume(options: ConsumeOptions): Promise<void> {
    const { group } = options;
    consuming.add(group);
    try {
      await consumePartitions(logs, options, positionOf(group), closing);
    } finally {
      // What cannot be saved now is saved with a later write; at worst the batch is delivered again.
      await offsets.flush().catch((error: unknown) => logger?.warn({ err: error }, 'offsets not saved'));
      consuming.delete(group);
    }
  }

  return {
    name,
    topicId: parts.topicId,
    partitions: logs.length,
    async append(records) {
      if (records.length === 0) return [];
      const encoded = encodeRecords(name, records);
      const shares = shareOut(logs, encoded);
      const places = new Array<RecordPlace>(records.length);
      await writer.submit({
        bytes: unwrittenBytes(encoded),
        stage(changes) {
          const nowMs = clock.nowMs();
          for (const share of shares) {
            const staged = share.log.stage(changes, share.records, nowMs);
            for (const [at, place] of staged.entries()) places[share.indexes[at] ?? 0] = place;
          }
        },
        committed: () => shares.forEach(({ log }) => log.committed()),
        reverted: () => shares.forEach(({ log }) => log.reverted()),
      });
      metrics?.appended.inc({ topic: name }, records.length);
      for (const group of consuming) setLag(group);
      return places;
    },
    async consume(options) {
      refuseBadGroup(options.group);
      if (closing.aborted) {
        throw new TransientError('unavailable', `cannot consume ${name}: the log is closed`);
      }
      if (consuming.has(options.group)) {
        throw new PermanentError('rejected', `cannot consume ${name}: group ${options.group} already does`);
      }
      const run = runConsume(options);
      running.add(run);
      try {
        await run;
      } finally {
        running.delete(run);
      }
    },
    async *read(partition, from, to) {
      const log = logOf(partition);
      const { start, end } = log.bounds();
      const until = to !== undefined && to < end ? to : end;
      let at = from < start ? start : from;
      while (at < until) {
        if (closing.aborted) {
          throw new TransientError('unavailable', `cannot read ${name}: the log is closed`);
        }
        const records = log.take(at, until, READ_LIMITS);
        at += BigInt(records.length);
        yield* records;
        // Consumers of this iterator that never wait must not keep timers and sockets from their turn.
        await nextTurn();
      }
    },
    bounds: (partition) => Promise.resolve().then(() => logOf(partition).bounds()),
    committed: (group, partition) =>
      Promise.resolve().then(() => offsets.committed(name, group, logOf(partition).partition)),
  };
}
