import kafkajs, { type Kafka, type PartitionerArgs, type Producer, type RecordMetadata } from 'kafkajs';
import { InputError, TransientError } from '../../runtime/errors.ts';
import { partitionForKey } from '../partition-for-key.ts';
import type { RecordPlace, TopicRecord } from '../topic.ts';
import { kafkaError } from './kafka-error.ts';
import { REQUEST_BYTES, REQUEST_RECORDS } from './request-size.ts';

/** Longest record: key, value and a little; the topics are made to take a batch of that size. */
export const RECORD_MAX_BYTES = 16 * 1024 * 1024;
const RECORD_OVERHEAD_BYTES = 64;
const COMPRESSION = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
} as const;

export interface AppenderOptions {
  readonly newKafka: () => Kafka;
  readonly topic: string;
  readonly partitions: number;
  readonly compression: 'none' | 'gzip';
  readonly unwrittenMaxBytes: number;
  /** A request that is not acknowledged by then has failed, whatever became of it. */
  readonly deliveryTimeoutMs: number;
}

export interface Appender {
  append(records: readonly TopicRecord[]): Promise<readonly RecordPlace[]>;
  /** Sends what was accepted, then lets go. */
  close(): Promise<void>;
}

interface Call {
  readonly places: RecordPlace[];
  left: number;
  failed: boolean;
  resolve(places: readonly RecordPlace[]): void;
  reject(error: unknown): void;
}

interface Item {
  readonly call: Call;
  readonly index: number;
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly sizeBytes: number;
}

/** One producer id; what it numbers nobody else does. */
interface Session {
  readonly producer: Producer;
  readonly connected: Promise<void>;
  /** Stops what kafkajs would still repeat. */
  end(): void;
}

/**
 * Idempotent producing with acks=all. Calls that come while a request is under way travel together in the next one.
 * After any failed request the producer is thrown away: its sequence numbers may have reached the broker, which would
 * take another batch under the same numbers for a repetition and acknowledge it without storing it. Each partition has
 * a request of its own: of a request that spans brokers kafkajs repeats a part, under new numbers when a leader moved.
 */
export function createAppender(options: AppenderOptions): Appender {
  const { topic } = options;
  let queue: Item[] = [];
  let queuedBytes = 0;
  let pumping: Promise<void> | undefined;
  let session: Session | undefined;
  let closed = false;

  function openSession(): Session {
    let ended = false;
    const partitioner = ({ message }: PartitionerArgs) => {
      if (ended) throw new AbandonedError();
      return message.partition ?? 0;
    };
    const producer = options.newKafka().producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => partitioner,
    });
    const connected = producer.connect();
    connected.catch(() => undefined);
    const end = () => {
      ended = true;
    };
    return { producer, connected, end };
  }

  function takeRequest(): Item[] {
    let bytes = 0;
    let count = 0;
    for (const item of queue) {
      if (count > 0 && (bytes + item.sizeBytes > REQUEST_BYTES || count === REQUEST_RECORDS)) break;
      bytes += item.sizeBytes;
      count += 1;
    }
    const items = queue.slice(0, count);
    queue = queue.slice(count);
    return items;
  }

  async function send(items: readonly Item[]): Promise<void> {
    const own = (session ??= openSession());
    const parts = [...byPartition(items).values()];
    const unsettled = new Set<readonly Item[]>(parts);
    // Before the caller hears of it: it may append again at once.
    const release = (part: readonly Item[]) => {
      if (unsettled.delete(part)) for (const { sizeBytes } of part) queuedBytes -= sizeBytes;
    };
    const sends = parts.map(async (part) => {
      await own.connected;
      const messages = part.map(({ partition, key, value }) => ({ partition, key, value }));
      const answers = await own.producer.sendBatch({
        acks: -1,
        compression: COMPRESSION[options.compression],
        topicMessages: [{ topic, messages }],
      });
      release(part);
      settle(part, answers);
    });
    const done = Promise.allSettled(sends);
    const outcomes = await within(done, options.deliveryTimeoutMs);
    const failed = outcomes?.find((outcome) => outcome.status === 'rejected');
    if (outcomes !== undefined && failed === undefined) return;

    session = undefined;
    own.end();
    void own.producer.disconnect().catch(() => undefined);
    // What kafkajs still repeats may have connected again.
    void done.then(() => own.producer.disconnect()).catch(() => undefined);
    for (const part of parts) release(part);
    const inTime = failed !== undefined;
    const error = inTime
      ? kafkaError(`append to ${topic}`, failed.reason)
      : new TransientError('unavailable', `cannot append to ${topic}: no answer for too long`);
    for (const { call } of items) if (call.left > 0) fail(call, error);
    // Who waits behind a silent broker has waited as long, and nobody waits for a log that closes.
    if (!inTime || closed) for (const { call } of queue) fail(call, error);
    queue = queue.filter(({ call, sizeBytes }) => {
      if (call.failed) queuedBytes -= sizeBytes;
      return !call.failed;
    });
  }

  async function pump(): Promise<void> {
    // Calls made in the same turn travel together.
    await Promise.resolve();
    while (queue.length > 0) {
      await send(takeRequest());
    }
    pumping = undefined;
  }

  return {
    append(records) {
      if (records.length === 0) return Promise.resolve([]);
      if (closed)
        return Promise.reject(
          new TransientError('unavailable', `cannot append to ${topic}: the log is closed`),
        );
      if (queuedBytes >= options.unwrittenMaxBytes) {
        const reason = `${queuedBytes} bytes wait to be written`;
        return Promise.reject(new TransientError('overloaded', `cannot append to ${topic}: ${reason}`));
      }
      return new Promise((resolve, reject) => {
        const call: Call = {
          places: new Array<RecordPlace>(records.length),
          left: records.length,
          failed: false,
          resolve,
          reject,
        };
        const items = records.map((record, index) => itemOf(record, index, call, options));
        for (const item of items) {
          queue.push(item);
          queuedBytes += item.sizeBytes;
        }
        pumping ??= pump();
      });
    },
    async close() {
      closed = true;
      await pumping;
      const own = session;
      session = undefined;
      await own?.producer.disconnect();
    },
  };
}

function itemOf(
  record: TopicRecord,
  index: number,
  call: Call,
  { topic, partitions }: AppenderOptions,
): Item {
  const key = Buffer.from(record.key);
  const sizeBytes = key.length + record.value.length + RECORD_OVERHEAD_BYTES;
  if (sizeBytes > RECORD_MAX_BYTES) {
    throw new InputError(
      'input_too_large',
      `cannot append to ${topic}: a record of ${sizeBytes} bytes, at most ${RECORD_MAX_BYTES}`,
    );
  }
  // A copy: the caller may reuse its buffer at once.
  return {
    call,
    index,
    partition: partitionForKey(key, partitions),
    key,
    value: Buffer.from(record.value),
    sizeBytes,
  };
}

/** The records of a partition follow one another from the offset of the answer. */
function settle(items: readonly Item[], answers: readonly RecordMetadata[]): void {
  const partition = items[0]?.partition ?? 0;
  const answer = answers.find((each) => each.partition === partition);
  const base = BigInt(answer?.baseOffset ?? -1);
  const appendTimeMs = Number(answer?.logAppendTime ?? -1);
  if (base < 0n || appendTimeMs < 0) {
    throw new TransientError('unavailable', 'cannot append: the broker told no place of the records');
  }
  for (const [at, { call, index }] of items.entries()) {
    call.places[index] = { partition, offset: base + BigInt(at), appendTimeMs };
    call.left -= 1;
    if (call.left === 0 && !call.failed) call.resolve(call.places);
  }
}

function byPartition(items: readonly Item[]): Map<number, Item[]> {
  const parts = new Map<number, Item[]>();
  for (const item of items) {
    const part = parts.get(item.partition);
    if (part === undefined) parts.set(item.partition, [item]);
    else part.push(item);
  }
  return parts;
}

function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Ends the repetitions of kafkajs: it takes `retriable` at its word. */
class AbandonedError extends Error {
  readonly retriable = false;
}

function fail(call: Call, error: unknown): void {
  call.failed = true;
  call.reject(error);
}
