import kafkajs, { type Kafka, type Producer, type RecordMetadata } from 'kafkajs';
import { InputError, TransientError } from '../../runtime/errors.ts';
import { partitionForKey } from '../partition-for-key.ts';
import type { RecordPlace, TopicRecord } from '../topic.ts';
import { kafkaError } from './kafka-error.ts';

/** Longest record: key, value and a little; the topics are made to take a batch of that size. */
export const RECORD_MAX_BYTES = 16 * 1024 * 1024;
/** One request; a larger record goes alone. */
const REQUEST_BYTES = 4 * 1024 * 1024;
const REQUEST_RECORDS = 20_000;
const RECORD_OVERHEAD_BYTES = 64;

export interface AppenderOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly partitions: number;
  readonly compression: 'none' | 'gzip';
  readonly unwrittenMaxBytes: number;
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

/**
 * Idempotent producing with acks=all. Calls that come while a request is under way travel together in the next one.
 * After any failed request the producer is thrown away: its sequence numbers may have reached the broker, which would
 * take another batch under the same numbers for a repetition and acknowledge it without storing it.
 */
export function createAppender(options: AppenderOptions): Appender {
  const { topic } = options;
  let queue: Item[] = [];
  let queuedBytes = 0;
  let pumping: Promise<void> | undefined;
  let producer: Producer | undefined;
  let closed = false;

  async function connected(): Promise<Producer> {
    if (producer !== undefined) return producer;
    const fresh = options.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    await fresh.connect();
    producer = fresh;
    return fresh;
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
    try {
      const answers = await (
        await connected()
      ).sendBatch({
        acks: -1,
        compression:
          options.compression === 'gzip' ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None,
        topicMessages: [
          { topic, messages: items.map(({ partition, key, value }) => ({ partition, key, value })) },
        ],
      });
      settle(items, placesOf(answers));
    } catch (cause) {
      const failed = producer;
      producer = undefined;
      failed?.disconnect().catch(() => undefined);
      const error = kafkaError(`append to ${topic}`, cause);
      for (const { call } of items) fail(call, error);
      queue = queue.filter(({ call, sizeBytes }) => {
        if (call.failed) queuedBytes -= sizeBytes;
        return !call.failed;
      });
    }
  }

  async function pump(): Promise<void> {
    // Calls made in the same turn travel together.
    await Promise.resolve();
    while (queue.length > 0) {
      const items = takeRequest();
      await send(items);
      for (const { sizeBytes } of items) queuedBytes -= sizeBytes;
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
      await producer?.disconnect();
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

/** First place of each partition of the request; its records follow one another. */
function placesOf(answers: readonly RecordMetadata[]): Map<number, { offset: bigint; appendTimeMs: number }> {
  return new Map(
    answers.map(({ topicName, partition, baseOffset, logAppendTime }) => {
      const offset = BigInt(baseOffset ?? -1);
      const appendTimeMs = Number(logAppendTime ?? -1);
      if (offset < 0n || appendTimeMs < 0) {
        throw new TransientError(
          'unavailable',
          `cannot append to ${topicName}: the broker told no place of the records`,
        );
      }
      return [partition, { offset, appendTimeMs }];
    }),
  );
}

function settle(items: readonly Item[], next: Map<number, { offset: bigint; appendTimeMs: number }>): void {
  for (const { call, index, partition } of items) {
    const place = next.get(partition);
    if (place === undefined)
      throw new TransientError('unavailable', 'cannot append: the broker left a partition out');
    call.places[index] = { partition, offset: place.offset, appendTimeMs: place.appendTimeMs };
    place.offset += 1n;
    call.left -= 1;
    if (call.left === 0) call.resolve(call.places);
  }
}

function fail(call: Call, error: unknown): void {
  call.failed = true;
  call.reject(error);
}
