import type { Kafka, Message, Producer, TopicMessages } from 'kafkajs';
import { InputError, MovedError } from '../../runtime/errors.ts';
import { partitionForKey } from '../partition-for-key.ts';
import type { Claim, PartitionOf, StateStore } from '../topic.ts';
import { RECORD_MAX_BYTES } from './appender.ts';
import { kafkaError } from './kafka-error.ts';
import type { Names } from './names.ts';
import type { KafkaReader } from './reader.ts';
import { REQUEST_BYTES, REQUEST_RECORDS } from './request-size.ts';
import { readOwnState } from './state.ts';

/** Long enough for one write, short enough that the transaction of a dead owner does not hold up readers. */
const TRANSACTION_TIMEOUT_MS = 15_000;
const RECORD_OVERHEAD_BYTES = 64;

export interface ClaimParts {
  readonly newKafka: () => Kafka;
  readonly names: Names;
  readonly partitions: number;
  readonly reader: KafkaReader;
}

/**
 * A transactional producer per claim: Kafka raises the epoch of its id when it asks for one, rolls back what an earlier
 * producer of that id had open, and refuses everything that one sends later, however long it slept (KIP-98). A claim
 * that failed once is over; its owner claims again when it has the partition again, and sees then whether a commit
 * whose answer was lost took place.
 */
export async function openClaim(parts: ClaimParts, of: PartitionOf): Promise<Claim> {
  const { names, reader } = parts;
  const place = `${of.area} ${of.topic}/${of.partition}`;
  const stateTopic = names.state(of.area);
  const producer = parts.newKafka().producer({
    transactionalId: names.transactionalId(of),
    maxInFlightRequests: 1,
    // A transaction has to wait until the markers of the one before it are written, a few milliseconds.
    retry: { initialRetryTime: 5, retries: 13 },
    transactionTimeout: TRANSACTION_TIMEOUT_MS,
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  try {
    await producer.connect();
    // kafkajs asks for the epoch with the first transaction, not when it connects: nobody would be fenced before it.
    const first = await producer.transaction();
    await first.abort();
  } catch (cause) {
    await producer.disconnect().catch(() => undefined);
    throw kafkaError(`claim ${place}`, cause);
  }
  let lost: unknown;
  let turn: Promise<unknown> = Promise.resolve();

  /** One transaction at a time; the first failure ends the claim. */
  function commit(topic: string, messages: readonly Message[]): Promise<void> {
    const mine = turn.then(async () => {
      if (lost !== undefined) throw moved(lost);
      try {
        await inTransaction(producer, topic, messages);
      } catch (cause) {
        lost = cause;
        throw moved(cause);
      }
    });
    turn = mine.catch(() => undefined);
    return mine;
  }
  const moved = (cause: unknown) => new MovedError(`cannot write for ${place}: the claim is lost`, { cause });
  /** @throws InputError when no request could hold it; the claim goes on. */
  const message = (partition: number, key: Buffer, value: Uint8Array | undefined): Message => {
    const sizeBytes = key.length + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
    if (sizeBytes > RECORD_MAX_BYTES) {
      const reason = `a record of ${sizeBytes} bytes, at most ${RECORD_MAX_BYTES}`;
      throw new InputError('input_too_large', `cannot write for ${place}: ${reason}`);
    }
    return { partition, key, value: value === undefined ? null : Buffer.from(value) };
  };
  const change = (name: string, value: Uint8Array | undefined) =>
    message(of.partition, Buffer.from(name), value);

  const state: StateStore = {
    ...readOwnState(reader, stateTopic, of.partition),
    async write(changes) {
      if (changes.length > 0)
        await commit(
          stateTopic,
          changes.map(({ name, value }) => change(name, value)),
        );
    },
  };
  return {
    state,
    async share(changes) {
      if (changes.length > 0)
        await commit(
          names.state('shared'),
          changes.map(({ name, value }) => change(name, value)),
        );
    },
    async append(topic, records) {
      if (records.length === 0) return;
      const messages = records.map(({ key, value }) => {
        const keyBytes = Buffer.from(key);
        return message(partitionForKey(keyBytes, parts.partitions), keyBytes, value);
      });
      await commit(names.topic(topic), messages);
    },
    async isHeld() {
      try {
        // The removal of a name that never is: readers see nothing of it.
        await commit(stateTopic, [change(`claim/${of.topic}/${of.partition}`, undefined)]);
        return true;
      } catch {
        return false;
      }
    },
    async release() {
      lost ??= new Error('released');
      await turn;
      await producer.disconnect().catch(() => undefined);
    },
  };
}

async function inTransaction(producer: Producer, topic: string, messages: readonly Message[]): Promise<void> {
  const transaction = await producer.transaction();
  try {
    for (const part of requestsOf(topic, messages))
      await transaction.sendBatch({ acks: -1, topicMessages: [part] });
    await transaction.commit();
  } catch (error) {
    await transaction.abort().catch(() => undefined);
    throw error;
  }
}

function* requestsOf(topic: string, messages: readonly Message[]): Generator<TopicMessages> {
  let part: Message[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = (message.key?.length ?? 0) + (message.value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
    if (part.length === REQUEST_RECORDS || (part.length > 0 && bytes + size > REQUEST_BYTES)) {
      yield { topic, messages: part };
      part = [];
      bytes = 0;
    }
    part.push(message);
    bytes += size;
  }
  if (part.length > 0) yield { topic, messages: part };
}
