import { setImmediate as nextTurn } from 'node:timers/promises';
import { aborted } from '../../runtime/aborted.ts';
import { IntegrityError, isOfPartition } from '../../runtime/errors.ts';
import { type Batch, type ConsumedRecord, type ConsumeOptions, DeferredError, type Lease } from '../topic.ts';
import type { PartitionLog, ReadLimits } from './partition-log.ts';

const BATCH_RECORDS = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;

export interface Position {
  committed(partition: number): bigint | undefined;
  commit(partition: number, offset: bigint): void;
  /** The group is behind the oldest kept record: retention has taken `count` records from it. */
  missed(partition: number, count: bigint): void;
}

/** Resolves at the next append to the partition, when the signal aborts, or after `timeoutMs`. */
function appended(log: PartitionLog, signal: AbortSignal, timeoutMs?: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const unsubscribe = log.onAppend(done);
    const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

async function startOf(log: PartitionLog, options: ConsumeOptions, position: Position): Promise<bigint> {
  const { partition } = log;
  const asked = await options.startOffset?.(partition);
  const { start, end } = log.bounds();
  const from = asked ?? position.committed(partition) ?? start;
  if (from > end || (asked !== undefined && asked < start)) {
    throw new IntegrityError(
      `cannot consume ${log.topic} partition ${partition} from offset ${from}: the log holds ${start} to ${end}`,
    );
  }
  return from;
}

/** The next records from `from`, waiting for the first; `undefined` once the signal aborts. */
async function nextRecords(
  log: PartitionLog,
  from: bigint,
  limits: ReadLimits,
  lingerMs: number,
  signal: AbortSignal,
): Promise<ConsumedRecord[] | undefined> {
  const taken: ConsumedRecord[] = [];
  let bytes = 0;
  let deadlineMs: number | undefined;
  while (!signal.aborted) {
    const room = { records: limits.records - taken.length, bytes: limits.bytes - bytes };
    const next = from + BigInt(taken.length);
    const more = log.take(next, log.bounds().end, room);
    const moreBytes = more.reduce((sum, { value }) => sum + value.length, 0);
    // `take` always gives one record; beyond the bytes that are left it belongs to the next batch.
    if (taken.length > 0 && moreBytes > room.bytes) return taken;
    taken.push(...more);
    bytes += moreBytes;
    const cutShort = next + BigInt(more.length) < log.bounds().end;
    if (taken.length > 0) {
      if (lingerMs === 0 || cutShort || taken.length >= limits.records || bytes >= limits.bytes) return taken;
      deadlineMs ??= performance.now() + lingerMs;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return taken;
      await appended(log, signal, leftMs);
    } else {
      await appended(log, signal);
    }
  }
  return undefined;
}

async function consumePartition(
  log: PartitionLog,
  options: ConsumeOptions,
  position: Position,
  signal: AbortSignal,
): Promise<void> {
  const limits = {
    records: Math.max(1, options.maxBatchRecords ?? BATCH_RECORDS),
    bytes: options.maxBatchBytes ?? BATCH_BYTES,
  };
  let at = await startOf(log, options, position);
  while (!signal.aborted) {
    const { start } = log.bounds();
    if (at < start) {
      position.missed(log.partition, start - at);
      at = start;
    }
    const records = await nextRecords(log, at, limits, options.lingerMs ?? 0, signal);
    if (records === undefined) return;
    at += BigInt(records.length);
    const batch: Batch = { partition: log.partition, records, nextOffset: at };
    if (!(await handleWhenReady(options, batch, signal))) return;
    position.commit(log.partition, at);
    // A handler that never waits must not keep timers and sockets from their turn.
    await nextTurn();
  }
}

/** Hands the batch over until the handler has done it; false when the signal aborted before that. */
async function handleWhenReady(options: ConsumeOptions, batch: Batch, signal: AbortSignal): Promise<boolean> {
  const lease: Lease = { signal, confirm: () => Promise.resolve() };
  for (;;) {
    try {
      await options.handle(batch, lease);
      return true;
    } catch (error) {
      if (!(error instanceof DeferredError)) throw error;
      if (signal.aborted) return false;
      await error.until;
    }
  }
}

/** Runs one loop per partition until the signal aborts; the first failure that is not one partition's ends all of them. */
export async function consumePartitions(
  logs: readonly PartitionLog[],
  options: ConsumeOptions,
  position: Position,
  closing: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  for (const signal of [options.signal, closing]) {
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  }
  let failure: { readonly error: unknown } | undefined;
  async function untilStopped(log: PartitionLog): Promise<void> {
    try {
      await consumePartition(log, options, position, stop.signal);
    } catch (error) {
      if (!isOfPartition(error) || options.refused === undefined) throw error;
      options.refused(log.partition, error);
      await aborted(stop.signal);
    }
  }
  await Promise.all(
    logs.map((log) =>
      untilStopped(log).catch((error: unknown) => {
        failure ??= { error };
        abort();
      }),
    ),
  );
  for (const signal of [options.signal, closing]) signal.removeEventListener('abort', abort);
  if (failure !== undefined) throw failure.error;
}
