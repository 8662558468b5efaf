import type { Kafka } from 'kafkajs';
import { backoffMs, sleep } from '../../runtime/backoff.ts';
import { TransientError } from '../../runtime/errors.ts';
import { createCluster } from './internals.ts';
import { committedRecords, type StoredRecord } from './record-batch.ts';
import { type FetchAnswer, fetchPartitions } from './requests.ts';

export interface FetcherOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly maxBytes: number;
  readonly minBytes: number;
  readonly waitMs: number;
}

export interface Fetched {
  /** Committed records from the offset asked for. */
  readonly records: readonly StoredRecord[];
  /** Where to fetch next: the offset asked for when there is nothing decided behind it yet. */
  readonly next: bigint;
}

/** Fetches partitions of one topic; what is wanted of a broker at the same time travels in one request. */
export interface Fetcher {
  /** Rejects with the errors of kafkajs; the next call looks for the leader again. One call per partition at a time. */
  fetch(partition: number, offset: bigint): Promise<Fetched>;
  close(): Promise<void>;
}

interface Want {
  readonly partition: number;
  readonly offset: bigint;
  resolve(fetched: Fetched): void;
  reject(error: unknown): void;
}

const LEADERLESS_WAIT = { base_ms: 200, cap_ms: 400 };

export function createFetcher(options: FetcherOptions): Fetcher {
  const { topic } = options;
  const cluster = createCluster(options.kafka);
  const wants = new Map<number, Want>();
  /** Leaders with a request under way: a broker answers the requests of a connection one after the other. */
  const asked = new Set<number>();
  let stale = true;
  let pumping = false;
  let again = false;
  const isAskedAgain = () => again;
  let closed = false;

  async function ready(): Promise<void> {
    if (!stale) {
      await cluster.refreshMetadataIfNecessary();
      return;
    }
    if (!cluster.isConnected()) {
      await cluster.disconnect();
      await cluster.connect();
    }
    await cluster.addMultipleTargetTopics([topic]);
    await cluster.refreshMetadata();
    stale = false;
  }

  function take(isWanted: (partition: number) => boolean): Want[] {
    const taken = [...wants.values()].filter(({ partition }) => isWanted(partition));
    for (const { partition } of taken) wants.delete(partition);
    return taken;
  }

  function rejectAll(taken: readonly Want[], error: unknown): void {
    stale = true;
    for (const want of taken) want.reject(error);
  }

  async function pump(): Promise<void> {
    if (pumping) {
      again = true;
      return;
    }
    pumping = true;
    do {
      again = false;
      // Wants of the same turn travel together.
      await Promise.resolve();
      try {
        await ready();
        const leaders = new Map(
          cluster.findTopicPartitionMetadata(topic).map(({ partitionId, leader }) => [partitionId, leader]),
        );
        for (const leader of new Set(leaders.values())) {
          if (asked.has(leader)) continue;
          const taken = take((partition) => leaders.get(partition) === leader);
          if (taken.length > 0) void ask(leader, taken);
        }
        const orphans = take((partition) => !leaders.has(partition));
        if (orphans.length > 0) rejectAll(orphans, noLeader(topic));
      } catch (error) {
        rejectAll(
          take(() => true),
          error,
        );
      }
    } while (isAskedAgain());
    pumping = false;
  }

  async function ask(leader: number, taken: readonly Want[]): Promise<void> {
    asked.add(leader);
    try {
      if (leader < 0) {
        await sleep(backoffMs(0, LEADERLESS_WAIT, Math.random));
        throw noLeader(topic);
      }
      const broker = await cluster.findBroker({ nodeId: leader });
      const answers = await fetchPartitions(broker, { ...options, partitions: taken });
      for (const want of taken) {
        const answer = answers.find(({ partition }) => partition === want.partition);
        if (answer?.error === undefined && answer !== undefined) want.resolve(fetchedOf(answer, want.offset));
        else rejectAll([want], answer?.error ?? noLeader(topic));
      }
    } catch (error) {
      rejectAll(taken, error);
    } finally {
      asked.delete(leader);
      if (!closed && wants.size > 0) void pump();
    }
  }

  return {
    fetch: (partition, offset) =>
      new Promise((resolve, reject) => {
        wants.set(partition, { partition, offset, resolve, reject });
        void pump();
      }),
    async close() {
      closed = true;
      wants.clear();
      await cluster.disconnect();
    },
  };
}

/** An empty answer says nothing: the others may have used up the bytes of the request. */
function fetchedOf({ batches, aborted }: FetchAnswer, offset: bigint): Fetched {
  const last = batches.at(-1);
  if (last === undefined) return { records: [], next: offset };
  const records = committedRecords(batches, aborted).filter((record) => record.offset >= offset);
  return { records, next: last.lastOffset + 1n };
}

const noLeader = (topic: string) =>
  new TransientError('unavailable', `cannot read ${topic}: a partition has no leader now`);
