import type { LogHead } from '../../evidence/entry-builder.ts';
import type { Topic } from '../../streams/topic.ts';
import { readRows } from './clickhouse-store.ts';
import { LEDGER_GROUP } from './ledger-writer.ts';
import { readLedgerHeads, type LedgerHeads, type LedgerState } from './ledger-heads.ts';
import type { RawQuery } from './store.ts';
import type { Checklist, FindingLog } from './verify-report.ts';

/** Names one incarnation of one topic partition. */
export const sourceKey = ({ topicId, partition }: { topicId: string; partition: number }) =>
  `${topicId}-${partition}`;

/** Offsets the ledger writer committed, by `sourceKey`. */
export async function committedOffsets(topics: readonly Topic[]): Promise<Map<string, bigint>> {
  const offsets = new Map<string, bigint>();
  for (const topic of topics) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      const offset = await topic.committed(LEDGER_GROUP, partition);
      if (offset !== undefined) offsets.set(sourceKey({ topicId: topic.topicId, partition }), offset);
    }
  }
  return offsets;
}

/** The recorded heads; empty ones when the ledger demonstrably never recorded any and all records are still kept. */
export async function knownHeads(
  states: readonly LedgerState[] | undefined,
  topics: readonly Topic[],
  committed: ReadonlyMap<string, bigint>,
  checks: Checklist,
): Promise<LedgerHeads | undefined> {
  if (states === undefined) return undefined;
  const heads = await checks.attempt('recorded heads', () => readLedgerHeads(states), undefined);
  if (heads !== undefined) return heads;
  const bounds = await Promise.all(topics.map((topic) => topic.bounds(0)));
  const whole = topics.length > 0 && bounds.every(({ start }) => start === 0n);
  return whole && committed.size === 0 && checks.notDone.length === 0
    ? { positions: [], logs: new Map() }
    : undefined;
}

/** Looks up recorded heads of logs that a window of the store did not show. */
export async function checkHeadsOutside(
  raw: RawQuery,
  expected: ReadonlyMap<string, LogHead>,
  seen: ReadonlyMap<string, unknown>,
  findings: FindingLog,
): Promise<void> {
  for (const [log, head] of expected) {
    if (seen.has(log)) continue;
    const rows = readRows(
      raw,
      `SELECT leaf FROM custody.entries WHERE log = '${log}' AND seq = ${head.seq}`,
      (read) => read.hex(32),
    );
    const leaves: string[] = [];
    for await (const leaf of rows) leaves.push(leaf);
    if (leaves.includes(head.leaf)) continue;
    findings.add({
      cause: leaves.length === 0 ? 'TRUNCATED' : 'HEAD_MISMATCH',
      log,
      seq: head.seq,
      column: null,
      detail: 'the entry recorded as the last of the log is not in the store',
    });
  }
}
