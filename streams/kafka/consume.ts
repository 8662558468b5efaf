import type { Kafka } from 'kafkajs';
import { aborted } from '../../runtime/aborted.ts';
import { backoffMs, sleep } from '../../runtime/backoff.ts';
import { isOfPartition } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ConsumeOptions } from '../topic.ts';
import { BATCH_BYTES } from './chunks.ts';
import { createFetcher } from './fetcher.ts';
import { createGroupMember, hasMoved, type Membership } from './group-member.ts';
import { kafkaError, kafkaErrorType } from './kafka-error.ts';
import { orAbort } from './or-abort.ts';
import { type Tenure, workPartition } from './work-partition.ts';

const IDLE_WAIT_MS = 250;
const FETCH_MIN_BYTES = 1024 * 1024;
const RETRY = { base_ms: 100, cap_ms: 2_000 };
/** How long a group may be out of reach before consuming ends with that. */
const UNREACHABLE_MS = 30_000;
/** Time for the others to notice a rebalance and to join, after this member's handlers have given up. */
const JOIN_MS = 30_000;
const FAREWELL_MS = 2_000;

export interface ConsumeParts {
  /** Repeats little by itself: what is tried again is decided here. */
  readonly kafka: Kafka;
  /** As Kafka knows it. */
  readonly topic: string;
  readonly groupId: string;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  bounds(partition: number): Promise<{ readonly start: bigint; readonly end: bigint }>;
  committed(partition: number): Promise<bigint | undefined>;
  /** The group was behind the oldest kept record. */
  onMissed(partition: number, count: bigint): void;
  onRebalance(): void;
  readonly logger: Logger | undefined;
}

/**
 * Joins the group and hands over batches until the signal aborts or a handler rejects. Heartbeats go on whatever the
 * handlers do. When the group rebalances their leases abort, and they have one session timeout to finish and commit
 * before the partitions go; one that does not is left behind, its lease aborted and its commits refused.
 */
export async function consumeTopic(parts: ConsumeParts, options: ConsumeOptions): Promise<void> {
  if (options.signal.aborted) return;
  const { topic, sessionTimeoutMs } = parts;
  const heartbeatMs = Math.min(3_000, Math.floor(sessionTimeoutMs / 6));
  const member = createGroupMember({ ...parts, rebalanceTimeoutMs: sessionTimeoutMs + JOIN_MS });
  const fetcher = createFetcher({ kafka: parts.kafka, topic, ...fetchSizes(options) });
  const stop = new AbortController();
  const endNow = () => stop.abort();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure ??= { error };
    stop.abort();
  };
  /** What a partition does, one thing after the other, also across generations. */
  const turns = new Map<number, Promise<void>>();
  const inTurn = (partition: number, work: () => Promise<void> | undefined) => {
    const before = turns.get(partition) ?? Promise.resolve();
    turns.set(partition, before.then(work).catch(fail));
  };
  /** Left alone for good: a log that has lost records looks whole again once it has grown past them. */
  const refused = new Set<number>();
  const workUnder = async (tenure: Tenure, partition: number) => {
    if (refused.has(partition)) return;
    try {
      await workPartition(parts, options, { member, fetcher }, tenure, partition);
    } catch (error) {
      if (tenure.signal.aborted) return;
      if (!isOfPartition(error) || options.refused === undefined) throw error;
      refused.add(partition);
      options.refused(partition, error);
    }
  };

  let joining: Promise<Membership | undefined> = Promise.resolve(undefined);
  /** Undefined once consuming ends; a join that is under way then is left behind, and the group after it. */
  async function join(): Promise<Membership | undefined> {
    const sinceMs = performance.now();
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      joining = member.join();
      try {
        return await orAbort(joining, stop.signal);
      } catch (error) {
        const hopeless = kafkaErrorType(error)?.endsWith('AUTHORIZATION_FAILED') === true;
        if (hopeless || (!hasMoved(error) && performance.now() - sinceMs > UNREACHABLE_MS)) {
          throw kafkaError(`consume ${topic}`, error);
        }
        await sleep(backoffMs(attempt, RETRY, Math.random), stop.signal);
      }
    }
    return undefined;
  }

  /** Sends heartbeats until the promise resolves; `end` is told when the membership is void, or may be. */
  async function beatUntil(done: Promise<unknown>, membership: Membership, end: () => void): Promise<void> {
    const finished = new AbortController();
    const finish = () => finished.abort();
    done.then(finish, finish);
    let heardAtMs = Date.now();
    let pending = false as boolean;
    const beat = async () => {
      pending = true;
      const askedAtMs = Date.now();
      try {
        await member.heartbeat(membership);
        heardAtMs = askedAtMs;
      } catch (error) {
        if (hasMoved(error)) end();
      }
      pending = false;
    };
    for (;;) {
      await sleep(heartbeatMs, finished.signal);
      if (finished.signal.aborted) return;
      if (!pending) void beat();
      if (Date.now() - heardAtMs > sessionTimeoutMs) end();
    }
  }

  let current: Tenure | undefined;
  let held: readonly number[] = [];
  options.signal.addEventListener('abort', endNow, { once: true });
  try {
    for (;;) {
      const membership = await join();
      if (membership === undefined) break;
      parts.onRebalance();
      const over = new AbortController();
      const tenure: Tenure = {
        membership,
        signal: over.signal,
        isCurrent: () => current === tenure,
        end: () => over.abort(),
      };
      current = tenure;
      for (const partition of held) {
        if (!membership.partitions.includes(partition)) inTurn(partition, () => options.lost?.(partition));
      }
      held = membership.partitions;
      for (const partition of held) {
        inTurn(partition, () => workUnder(tenure, partition));
      }
      stop.signal.addEventListener('abort', tenure.end, { once: true });
      if (stop.signal.aborted) tenure.end();
      await beatUntil(aborted(over.signal), membership, tenure.end);
      stop.signal.removeEventListener('abort', tenure.end);
      const idle = Promise.all(turns.values());
      const patience = stop.signal.aborted ? idle : Promise.race([idle, sleep(sessionTimeoutMs)]);
      await beatUntil(patience, membership, tenure.end);
      if (stop.signal.aborted) break;
    }
  } catch (error) {
    fail(error);
  } finally {
    options.signal.removeEventListener('abort', endNow);
  }
  await Promise.all(turns.values());
  // A join can last as long as a rebalance, and the farewell as long as the broker is silent: nobody waits for them.
  const left = joining
    .then(
      () => member.leave(),
      () => member.leave(),
    )
    .catch(() => undefined)
    .then(() => member.close());
  await Promise.race([Promise.all([left, fetcher.close()]), sleep(FAREWELL_MS)]);
  if (failure !== undefined) throw failure.error;
}

function fetchSizes({ maxBatchBytes = BATCH_BYTES, lingerMs = 0 }: ConsumeOptions) {
  const maxBytes = Math.max(FETCH_MIN_BYTES, maxBatchBytes);
  const lingers = lingerMs > 0;
  return {
    maxBytes,
    minBytes: lingers ? Math.floor(maxBatchBytes / 4) : 1,
    waitMs: lingers ? lingerMs : IDLE_WAIT_MS,
  };
}
