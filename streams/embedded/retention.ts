import type { TopicName } from '../topic.ts';
import type { CommittedOffsets } from './committed-offsets.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Writer } from './writer.ts';

export interface RetainOptions {
  /** Records appended before this moment may go. Default: now minus the configured `retention_hours`. */
  readonly beforeMs?: number;
  /**
   * The groups of a topic that must have committed past a record before it goes; while one of them has never
   * committed, nothing goes. Default: `ledger` everywhere.
   */
  readonly protectedGroups?: (topic: TopicName) => readonly string[];
  readonly signal?: AbortSignal;
}

export interface RetainResult {
  readonly removedCount: number;
}

/** Small enough that an append that arrives meanwhile waits a few milliseconds. */
const CHUNK_RECORDS = 500;

function removableLimit(
  log: PartitionLog,
  offsets: CommittedOffsets,
  beforeMs: number,
  groups: readonly string[],
): bigint {
  let limit = log.bounds().end;
  for (const group of groups) {
    const committed = offsets.committed(log.topic, group, log.partition) ?? 0n;
    if (committed < limit) limit = committed;
  }
  return log.firstSince(beforeMs, limit);
}

/** Removes old records in small transactions, oldest first. Stops early, without an error, when the signal aborts. */
export async function retainRecords(
  logs: readonly PartitionLog[],
  offsets: CommittedOffsets,
  writer: Writer,
  beforeMs: number,
  options: RetainOptions,
): Promise<RetainResult> {
  let removedCount = 0;
  for (const log of logs) {
    const limit = removableLimit(log, offsets, beforeMs, options.protectedGroups?.(log.topic) ?? ['ledger']);
    for (let at = log.bounds().start; at < limit && options.signal?.aborted !== true;) {
      const chunkEnd = at + BigInt(CHUNK_RECORDS);
      const until = chunkEnd < limit ? chunkEnd : limit;
      await writer.submit({
        bytes: 0,
        stage: (changes) => log.stageRemoval(changes, until),
        committed: () => log.committed(),
        reverted: () => log.reverted(),
      });
      removedCount += Number(until - at);
      at = until;
    }
  }
  return { removedCount };
}
