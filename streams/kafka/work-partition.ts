import { backoffMs, sleep } from '../../runtime/backoff.ts';
import { IntegrityError, MovedError } from '../../runtime/errors.ts';
import { type Batch, type ConsumeOptions, DeferredError, type Lease } from '../topic.ts';
import { chunksOf } from './chunks.ts';
import type { ConsumeParts } from './consume.ts';
import type { Fetched, Fetcher } from './fetcher.ts';
import { type GroupMember, hasMoved, type Membership } from './group-member.ts';
import { kafkaError, kafkaErrorType } from './kafka-error.ts';
import { orAbort } from './or-abort.ts';

const RETRY = { base_ms: 50, cap_ms: 2_000 };
/** How long a partition may be unreadable before consuming ends with that. */
const UNREADABLE_MS = 30_000;
const COMMIT_ATTEMPTS = 4;

/** A generation of the group, as the partitions assigned in it see it. */
export interface Tenure {
  readonly membership: Membership;
  /** Aborts when the group rebalances or consuming ends. */
  readonly signal: AbortSignal;
  /** Whether no later generation has been joined. */
  readonly isCurrent: () => boolean;
  /** The coordinator said that the membership is void. */
  readonly end: () => void;
}

/** Hands over one partition from its start until the tenure ends; rejects with what must end consuming. */
export async function workPartition(
  parts: ConsumeParts,
  options: ConsumeOptions,
  { member, fetcher }: { readonly member: GroupMember; readonly fetcher: Fetcher },
  tenure: Tenure,
  partition: number,
): Promise<void> {
  const { topic } = parts;
  const { signal } = tenure;
  const isOver = () => signal.aborted;
  if (isOver()) return;
  const place = `${topic} partition ${partition}`;
  const lease = leaseOf(place, parts, member, tenure);
  const asked = await options.startOffset?.(partition);
  const from = await orAbort(startOf(asked), signal);
  if (from === undefined) return;
  let next = from;
  let ahead = fetchAt(next);
  while (!isOver()) {
    const fetched = await orAbort(ahead, signal);
    if (fetched === undefined) return;
    ahead = fetchAt(fetched.next);
    if (fetched.next === next) continue;
    for (const batch of chunksOf(fetched, partition, options)) {
      if (!(await hand(batch))) return;
      next = batch.nextOffset;
      await commit(next);
    }
  }

  async function startOf(wanted: bigint | undefined): Promise<bigint> {
    const { start, end } = await parts.bounds(partition);
    const from = wanted ?? (await parts.committed(partition)) ?? start;
    if (from > end || (wanted !== undefined && wanted < start)) throw outside(from, start, end);
    if (from < start) parts.onMissed(partition, start - from);
    return from < start ? start : from;
  }

  function outside(from: bigint, start: bigint, end: bigint): IntegrityError {
    return new IntegrityError(
      `cannot consume ${place} from offset ${from}: the log holds ${start} to ${end}`,
    );
  }

  /** Fetches until there is an answer; a prefetch that nobody waits for any more fails silently. */
  function fetchAt(offset: bigint): Promise<Fetched | undefined> {
    const fetching = fetchPatiently(offset);
    fetching.catch(() => undefined);
    return fetching;
  }

  async function fetchPatiently(from: bigint): Promise<Fetched | undefined> {
    const sinceMs = performance.now();
    let offset = from;
    for (let attempt = 0; !isOver(); attempt += 1) {
      try {
        return await fetcher.fetch(partition, offset);
      } catch (cause) {
        if (isOver()) return undefined;
        const type = kafkaErrorType(cause);
        if (type === 'OFFSET_OUT_OF_RANGE') offset = await afterRetention(offset);
        const hopeless = type?.endsWith('AUTHORIZATION_FAILED') === true;
        if (hopeless || performance.now() - sinceMs > UNREADABLE_MS) {
          throw kafkaError(`read ${place}`, cause);
        }
        await sleep(backoffMs(attempt, RETRY, Math.random), signal);
      }
    }
    return undefined;
  }

  /** Retention has overtaken the group while it was consuming. */
  async function afterRetention(offset: bigint): Promise<bigint> {
    const { start, end } = await parts.bounds(partition);
    if (offset > end || (offset < start && asked !== undefined)) throw outside(offset, start, end);
    if (offset >= start) return offset;
    parts.onMissed(partition, start - offset);
    return start;
  }

  /** False when the batch was given up because the tenure ended. */
  async function hand(batch: Batch): Promise<boolean> {
    while (!isOver()) {
      try {
        await options.handle(batch, lease);
        return true;
      } catch (error) {
        if (isOver()) return false;
        if (!(error instanceof DeferredError)) throw error;
        await orAbort(error.until, signal);
      }
    }
    return false;
  }

  /** Where a commit cannot be made, the batch is delivered again to whoever has the partition next. */
  async function commit(offset: bigint): Promise<void> {
    for (let attempt = 0; attempt < COMMIT_ATTEMPTS && tenure.isCurrent(); attempt += 1) {
      try {
        await member.commit(tenure.membership, partition, offset);
        return;
      } catch (error) {
        if (hasMoved(error)) {
          tenure.end();
          return;
        }
        await sleep(backoffMs(attempt, RETRY, Math.random));
      }
    }
  }
}

function leaseOf(place: string, parts: ConsumeParts, member: GroupMember, tenure: Tenure): Lease {
  const moved = (cause?: unknown) => new MovedError(`cannot go on with ${place}: it has moved`, { cause });
  return {
    signal: tenure.signal,
    async confirm() {
      for (;;) {
        if (!tenure.isCurrent()) throw moved();
        const askedAtMs = Date.now();
        try {
          await member.heartbeat(tenure.membership);
        } catch (cause) {
          if (!hasMoved(cause)) throw kafkaError(`confirm ${place}`, cause);
          tenure.end();
          throw moved(cause);
        }
        if (!tenure.isCurrent()) throw moved();
        // An answer that old says nothing: the process may have slept on it.
        if (Date.now() - askedAtMs < parts.sessionTimeoutMs / 2) return;
      }
    },
  };
}
