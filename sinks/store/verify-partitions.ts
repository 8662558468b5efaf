import type { LogHead, LogSource } from '../../evidence/entry-builder.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import type { Topic } from '../../streams/topic.ts';
import type { LedgerHeads } from './ledger-heads.ts';
import type { RawQuery } from './store.ts';
import { sourceKey } from './verify-heads.ts';
import { TAIL_MAX_ROWS, type Places } from './verify-places.ts';
import { compareRebuild, compareTail } from './verify-records.ts';
import type { FindingLog } from './verify-report.ts';

export interface Comparison {
  readonly raw: RawQuery;
  readonly deployment: string;
  readonly heads: LedgerHeads;
  /** Heads of the logs that are verified. */
  readonly expected: ReadonlyMap<string, LogHead>;
  /** Offsets the ledger writer committed, by `sourceKey`. */
  readonly committed: ReadonlyMap<string, bigint>;
  readonly places: Places;
  readonly wanted: (log: string) => boolean;
  readonly rebuild: boolean;
  readonly findings: FindingLog;
  /** The topics show every record the store's rows may come from. */
  readonly current: boolean;
}

/** Holds the stored rows against the records of each topic partition. */
export async function comparePartitions(comparison: Comparison, topics: readonly Topic[]): Promise<void> {
  for (const topic of topics) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      await comparePartition(comparison, topic, partition);
    }
  }
  const { beyondHeads, tailWhole } = comparison.places;
  if (beyondHeads === 0) return;
  const unread = (reason: string) => comparison.findings.readFailure('records of the log', new Error(reason));
  // A row that nothing vouches for never leaves the verdict at valid.
  if (!comparison.current) {
    unread(`there is no log to hold ${beyondHeads} rows beyond the recorded heads against`);
    return;
  }
  if (!tailWhole)
    unread(`only the first ${TAIL_MAX_ROWS} of ${beyondHeads} rows beyond the heads were held against it`);
  reportUnknown(comparison);
}

async function comparePartition(comparison: Comparison, topic: Topic, partition: number): Promise<void> {
  const { raw, places, wanted, findings } = comparison;
  const { name, topicId } = topic;
  const source: LogSource = { deployment: comparison.deployment, topic: name, topicId, partition };
  const { start, end } = await topic.bounds(partition);
  const position = comparison.heads.positions.find(
    (at) => at.topicId === topicId && at.partition === partition,
  );
  const nextOffset = position?.nextOffset ?? start;
  if (contradicts(comparison, source, { start, end, nextOffset })) return;
  const heads = [...comparison.heads.logs].filter(([log]) => {
    const of = parseLogId(log);
    return of?.topicId === topicId && of.partition === partition;
  });
  if (places.tail.size > 0) {
    const head = { day: position?.day ?? -1, heads };
    await compareTail({ topic, source, start: head, from: nextOffset, to: end }, places, wanted, findings);
  }
  if (!comparison.rebuild) return;
  const none = { day: -1, heads: [] };
  const before = start === 0n ? none : (places.before.get(sourceKey(source)) ?? none);
  await compareRebuild(raw, { topic, source, start: before, from: start, to: nextOffset }, wanted, findings);
}

/** Reports heads, committed offset and log that cannot all be true; true when records say nothing of the rows then. */
function contradicts(
  { committed, findings }: Comparison,
  source: LogSource,
  { start, end, nextOffset }: { start: bigint; end: bigint; nextOffset: bigint },
): boolean {
  const report = (cause: 'ROLLBACK' | 'RECORDS_LOST', detail: string) =>
    findings.add({ cause, log: `${source.topic}/${source.partition}`, seq: null, column: null, detail });
  const taken = committed.get(sourceKey(source)) ?? 0n;
  if (taken > nextOffset) {
    report('ROLLBACK', `the ledger took records up to ${taken - 1n}, its heads end before ${nextOffset}`);
  }
  if (end < nextOffset) {
    report('ROLLBACK', `the ledger holds records up to ${nextOffset - 1n}, the log ends at ${end}`);
    return true;
  }
  if (start > nextOffset) {
    report('RECORDS_LOST', `records ${nextOffset} to ${start - 1n} are in neither the ledger nor the log`);
    return true;
  }
  return false;
}

/** What is left of the tail is proven by no record. */
function reportUnknown({ places, expected, findings }: Comparison): void {
  const unknownLogs = new Set<string>();
  for (const [stored] of places.tail.values()) {
    if (stored === undefined || unknownLogs.has(stored.log)) continue;
    const { log, seq } = stored;
    const isKnown = expected.has(log);
    if (!isKnown) unknownLogs.add(log);
    const detail = 'no record of the log gives this entry';
    findings.add({ cause: isKnown ? 'UNKNOWN_TAIL' : 'UNKNOWN_LOG', log, seq, column: null, detail });
  }
}
