import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { IntegrityError, MovedError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type ConsumedRecord, type ConsumeOptions, DeferredError, type Lease } from '../topic.ts';
import { kafkaError, kafkaErrorType } from './kafka-error.ts';

const BATCH_RECORDS = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;
const IDLE_WAIT_MS = 250;
/** The group has another generation, or this member is no longer known. */
const MOVED: ReadonlySet<string> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR_FOR_GROUP',
  'FENCED_INSTANCE_ID',
]);

export interface ConsumeParts {
  readonly kafka: Kafka;
  /** As Kafka knows it. */
  readonly topic: string;
  readonly groupId: string;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  bounds(partition: number): Promise<{ readonly start: bigint; readonly end: bigint }>;
  committed(partition: number): Promise<bigint | undefined>;
  onLag(partition: number, records: number): void;
  /** The group was behind the oldest kept record. */
  onMissed(partition: number, count: bigint): void;
  onRebalance(): void;
  readonly logger: Logger | undefined;
}

/** One assigned partition; made anew with every generation of the group. */
interface Owned {
  readonly partition: number;
  readonly lease: AbortController;
  /** Handlers and the look for the start run one after the other. */
  turn: Promise<void>;
  /** Offset the handler gets next; `undefined` until the start is known. */
  next: bigint | undefined;
}

/**
 * Joins the group and hands over batches until the signal aborts or a handler rejects. Every assigned partition is
 * paused until its start is known, a handler keeps the membership alive while it runs, and when the group rebalances it
 * may finish what it does before the partition goes.
 */
export async function consumeTopic(parts: ConsumeParts, options: ConsumeOptions): Promise<void> {
  if (options.signal.aborted) return;
  const { topic } = parts;
  const lingers = (options.lingerMs ?? 0) > 0;
  const consumer = parts.kafka.consumer({
    groupId: parts.groupId,
    sessionTimeout: parts.sessionTimeoutMs,
    rebalanceTimeout: Math.max(60_000, parts.sessionTimeoutMs),
    heartbeatInterval: Math.min(3_000, Math.floor(parts.sessionTimeoutMs / 6)),
    allowAutoTopicCreation: false,
    metadataMaxAge: 60_000,
    maxBytesPerPartition: options.maxBatchBytes ?? BATCH_BYTES,
    minBytes: lingers ? Math.floor((options.maxBatchBytes ?? BATCH_BYTES) / 4) : 1,
    maxWaitTimeInMs: lingers ? (options.lingerMs ?? 0) : IDLE_WAIT_MS,
    readUncommitted: false,
  });
  const owned = new Map<number, Owned>();
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  let failure: { readonly error: unknown } | undefined;
  let ending = false;

  const end = () => {
    ending = true;
    for (const { lease } of owned.values()) lease.abort();
    finish();
  };
  const fail = (error: unknown) => {
    failure ??= { error };
    end();
  };

  /** Puts work behind what the partition is doing. */
  function inTurn(own: Owned, work: () => Promise<void>): Promise<void> {
    const mine = own.turn.then(work);
    own.turn = mine.catch(() => undefined);
    return mine;
  }

  async function startOf(own: Owned): Promise<bigint> {
    const { partition } = own;
    const asked = await options.startOffset?.(partition);
    const { start, end: last } = await parts.bounds(partition);
    const from = asked ?? (await parts.committed(partition)) ?? start;
    if (from > last || (asked !== undefined && asked < start)) {
      throw new IntegrityError(
        `cannot consume ${topic} partition ${partition} from offset ${from}: the log holds ${start} to ${last}`,
      );
    }
    if (from < start) parts.onMissed(partition, start - from);
    return from < start ? start : from;
  }

  async function begin(own: Owned): Promise<void> {
    const from = await startOf(own);
    if (own.lease.signal.aborted) return;
    own.next = from;
    consumer.seek({ topic, partition: own.partition, offset: String(from) });
    consumer.resume([{ topic, partitions: [own.partition] }]);
  }

  function assigned(partitions: readonly number[]): void {
    if (ending) return;
    consumer.pause([{ topic, partitions: [...partitions] }]);
    parts.onRebalance();
    const before = new Map(owned);
    owned.clear();
    for (const { lease } of before.values()) lease.abort();
    for (const [partition, { turn }] of before) {
      if (partitions.includes(partition)) continue;
      turn.then(() => options.lost?.(partition)).catch(fail);
    }
    for (const partition of partitions) {
      const turn = before.get(partition)?.turn ?? Promise.resolve();
      const own: Owned = { partition, lease: new AbortController(), turn, next: undefined };
      owned.set(partition, own);
      inTurn(own, () => begin(own)).catch((error: unknown) => {
        if (!own.lease.signal.aborted) fail(error);
      });
    }
  }

  /** Fetches nothing of the partition until the promise resolves; then from where the handler is. */
  function putOff(own: Owned, until: Promise<void>): void {
    consumer.pause([{ topic, partitions: [own.partition] }]);
    until
      .then(() => {
        if (own.lease.signal.aborted || own.next === undefined) return;
        consumer.seek({ topic, partition: own.partition, offset: String(own.next) });
        consumer.resume([{ topic, partitions: [own.partition] }]);
      })
      .catch(fail);
  }

  /** Gives a batch to the handler and commits; heartbeats go on meanwhile. */
  async function deliver(
    own: Owned,
    records: ConsumedRecord[],
    next: bigint,
    beat: () => Promise<void>,
  ): Promise<void> {
    const heartbeat = async () => {
      try {
        await beat();
      } catch (error) {
        if (hasMoved(error)) own.lease.abort();
        throw error;
      }
    };
    const lease: Lease = {
      signal: own.lease.signal,
      async confirm() {
        if (owned.get(own.partition) !== own)
          throw new MovedError(`cannot go on with ${topic} partition ${own.partition}: it has moved`);
        try {
          await heartbeat();
        } catch (cause) {
          throw hasMoved(cause)
            ? new MovedError(`cannot go on with ${topic} partition ${own.partition}: it is being moved`, {
                cause,
              })
            : kafkaError(`confirm ${topic} partition ${own.partition}`, cause);
        }
      },
    };
    const timer = setInterval(() => void heartbeat().catch(() => undefined), 1_000);
    try {
      await options.handle({ partition: own.partition, records, nextOffset: next }, lease);
    } catch (error) {
      if (own.lease.signal.aborted) return;
      if (error instanceof DeferredError) putOff(own, error.until);
      else fail(error);
      return;
    } finally {
      clearInterval(timer);
    }
    own.next = next;
    await commit(consumer, { topic, partition: own.partition, offset: next });
  }

  async function eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset } = payload;
    const own = owned.get(batch.partition);
    if (own === undefined) return;
    await inTurn(own, async () => {
      const chunks = chunksOf(batch.messages, own, options, BigInt(batch.lastOffset()) + 1n);
      for (const { records, next } of chunks) {
        if (ending || own.lease.signal.aborted || own.next === undefined || payload.isStale()) return;
        await deliver(own, records, next, payload.heartbeat);
        if (own.next !== next) return;
        resolveOffset(String(next - 1n));
        parts.onLag(own.partition, Number(BigInt(batch.highWatermark) - next));
        // Throws when the group rebalances: kafkajs joins again, after the other partitions' handlers.
        await payload.heartbeat();
      }
    });
  }

  /** A fetch that held only markers of transactions: nobody handles a record, but the position moves. */
  function skipped(partition: number, lastOffset: bigint): void {
    const own = owned.get(partition);
    if (own === undefined) return;
    inTurn(own, async () => {
      if (ending || own.lease.signal.aborted || own.next === undefined || lastOffset < own.next) return;
      await deliver(own, [], lastOffset + 1n, () => Promise.resolve());
    }).catch(() => undefined);
  }

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => assigned(payload.memberAssignment[topic] ?? []));
  consumer.on(consumer.events.REBALANCING, () => {
    for (const { lease } of owned.values()) lease.abort();
  });
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    if (payload.batchSize === 0) skipped(payload.partition, BigInt(payload.lastOffset));
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => fail(kafkaError(`consume ${topic}`, payload.error)));
  options.signal.addEventListener('abort', end, { once: true });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: parts.partitions,
      eachBatch,
    });
    await finished;
    await Promise.all([...owned.values()].map(({ turn }) => turn));
  } catch (error) {
    fail(kafkaError(`consume ${topic}`, error));
  } finally {
    options.signal.removeEventListener('abort', end);
    await consumer.disconnect().catch(() => undefined);
  }
  if (failure !== undefined) throw failure.error;
}

const hasMoved = (error: unknown): boolean => MOVED.has(kafkaErrorType(error) ?? '');

/** Where a commit cannot be made, the batch is delivered again to whoever has the partition next. */
async function commit(
  consumer: Consumer,
  place: { topic: string; partition: number; offset: bigint },
): Promise<void> {
  const { topic, partition, offset } = place;
  await consumer.commitOffsets([{ topic, partition, offset: String(offset) }]).catch(() => undefined);
}

/** The batch in the sizes the handler wants, without what it has had; the last one ends where the fetch ended. */
function chunksOf(
  messages: readonly KafkaMessage[],
  own: Owned,
  options: ConsumeOptions,
  fetchEnd: bigint,
): { records: ConsumedRecord[]; next: bigint }[] {
  const maxRecords = Math.max(1, options.maxBatchRecords ?? BATCH_RECORDS);
  const maxBytes = options.maxBatchBytes ?? BATCH_BYTES;
  const chunks: { records: ConsumedRecord[]; next: bigint }[] = [];
  let bytes = 0;
  for (const message of messages) {
    const record = recordOf(message, own.partition);
    if (own.next !== undefined && record.offset < own.next) continue;
    const chunk = chunks.at(-1);
    if (
      chunk === undefined ||
      chunk.records.length === maxRecords ||
      bytes + record.value.length > maxBytes
    ) {
      chunks.push({ records: [record], next: record.offset + 1n });
      bytes = record.value.length;
      continue;
    }
    chunk.records.push(record);
    chunk.next = record.offset + 1n;
    bytes += record.value.length;
  }
  const last = chunks.at(-1);
  if (last !== undefined && last.next < fetchEnd) last.next = fetchEnd;
  return chunks;
}

export function recordOf(
  message: { offset: string; timestamp: string; key: Buffer | null; value: Buffer | null },
  partition: number,
): ConsumedRecord {
  return {
    partition,
    offset: BigInt(message.offset),
    appendTimeMs: Number(message.timestamp),
    key: message.key?.toString('utf8') ?? '',
    value: message.value ?? new Uint8Array(0),
  };
}
