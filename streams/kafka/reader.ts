import type { Kafka } from 'kafkajs';
import { backoffMs, sleep } from '../../runtime/backoff.ts';
import { TransientError } from '../../runtime/errors.ts';
import { type Broker, type Cluster, createCluster } from './internals.ts';
import { kafkaError, kafkaErrorType } from './kafka-error.ts';
import { committedRecords, type StoredRecord } from './record-batch.ts';
import { fetchPartition, listOffset, type OffsetOf, topicUuid } from './requests.ts';

const FETCH_BYTES = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 250;
const RETRY = { base_ms: 50, cap_ms: 2_000 };
const ATTEMPTS = 8;
/** Longest wait for a transaction that is open at the end of a read; brokers abort those of dead owners by then. */
const UNDECIDED_MS = 60_000;

/** Reads ranges of partitions, without a consumer group, and only what is committed. */
export interface KafkaReader {
  offset(topic: string, partition: number, of: OffsetOf): Promise<bigint>;
  /** Committed records of `[from, to)`, in batches as the broker sends them. Waits for transactions still open there. */
  read(topic: string, partition: number, from: bigint, to: bigint): AsyncGenerator<readonly StoredRecord[]>;
  /**
   * An offset up to which everything is decided, and before which nothing that was written until now is left out: the
   * markers of a transaction reach its partitions only after its commit was answered.
   */
  decidedEnd(topic: string, partition: number): Promise<bigint>;
  uuid(topic: string): Promise<string>;
  close(): Promise<void>;
}

export function createReader(kafka: Kafka, topics: readonly string[]): KafkaReader {
  const cluster = createCluster(kafka);
  let connecting: Promise<void> | undefined;
  let closed = false;
  const isClosed = () => closed;

  async function connect(): Promise<void> {
    await cluster.connect();
    await cluster.addMultipleTargetTopics(topics);
    await cluster.refreshMetadata();
  }

  /** Runs a request at the partition's leader; looks for the leader again when it has moved or gone. */
  async function atLeader<T>(
    topic: string,
    partition: number,
    ask: (broker: Broker) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      if (isClosed()) throw new TransientError('unavailable', `cannot read ${topic}: the log is closed`);
      try {
        connecting ??= connect();
        await connecting;
        await cluster.refreshMetadataIfNecessary();
        return await ask(await leaderOf(cluster, topic, partition));
      } catch (cause) {
        const type = kafkaErrorType(cause);
        if (
          isClosed() ||
          attempt === ATTEMPTS ||
          type === 'OFFSET_OUT_OF_RANGE' ||
          type?.endsWith('AUTHORIZATION_FAILED')
        ) {
          throw kafkaError(`read ${topic} partition ${partition}`, cause);
        }
        await sleep(backoffMs(attempt, RETRY, Math.random));
        connecting = reconnect();
        connecting.catch(() => undefined);
      }
    }
  }

  async function reconnect(): Promise<void> {
    if (cluster.isConnected()) {
      await cluster.refreshMetadata();
      return;
    }
    await cluster.disconnect();
    await connect();
  }

  return {
    offset: (topic, partition, of) =>
      atLeader(topic, partition, (broker) => listOffset(broker, topic, partition, of)),
    async *read(topic, partition, from, to) {
      let at = from;
      let undecidedSince: number | undefined;
      while (at < to) {
        const range = {
          topic,
          partition,
          offset: at,
          maxBytes: FETCH_BYTES,
          minBytes: 1,
          waitMs: FETCH_WAIT_MS,
        };
        const { batches, aborted, lastStable } = await atLeader(topic, partition, (broker) =>
          fetchPartition(broker, range),
        );
        const last = batches.at(-1);
        // Everything before it is decided, and compaction has left nothing of it.
        if (last === undefined && lastStable > at) {
          at = lastStable;
          continue;
        }
        if (last === undefined) {
          undecidedSince ??= performance.now();
          if (performance.now() - undecidedSince > UNDECIDED_MS) {
            throw staysOpen(topic, partition, at);
          }
          continue;
        }
        undecidedSince = undefined;
        const start = at;
        at = last.lastOffset + 1n;
        const records = committedRecords(batches, aborted).filter(
          ({ offset }) => offset >= start && offset < to,
        );
        if (records.length > 0) yield records;
      }
    },
    async decidedEnd(topic, partition) {
      const offsetOf = (of: OffsetOf) =>
        atLeader(topic, partition, (broker) => listOffset(broker, topic, partition, of));
      const written = await offsetOf('end');
      const sinceMs = performance.now();
      for (let attempt = 0; ; attempt += 1) {
        const stable = await offsetOf('stable');
        if (stable >= written) return stable;
        if (performance.now() - sinceMs > UNDECIDED_MS) throw staysOpen(topic, partition, stable);
        await sleep(backoffMs(attempt, { base_ms: 10, cap_ms: 250 }, Math.random));
      }
    },
    uuid: (topic) => atLeader(topic, 0, (broker) => topicUuid(broker, topic)),
    async close() {
      closed = true;
      await connecting?.catch(() => undefined);
      await cluster.disconnect();
    },
  };
}

const staysOpen = (topic: string, partition: number, offset: bigint) =>
  new TransientError(
    'unavailable',
    `cannot read ${topic} partition ${partition}: a transaction at offset ${offset} stays open`,
  );

async function leaderOf(cluster: Cluster, topic: string, partition: number): Promise<Broker> {
  const metadata = cluster
    .findTopicPartitionMetadata(topic)
    .find(({ partitionId }) => partitionId === partition);
  if (metadata === undefined || metadata.leader < 0) {
    throw new TransientError(
      'unavailable',
      `cannot read ${topic} partition ${partition}: it has no leader now`,
    );
  }
  return cluster.findBroker({ nodeId: metadata.leader });
}
