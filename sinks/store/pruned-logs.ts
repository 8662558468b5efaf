import { anchorOrigin, parseAnchorEntry } from '../../evidence/anchor-log/entry.ts';
import type { LogHead, LogSource } from '../../evidence/entry-builder.ts';
import { readRows } from './clickhouse-store.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery, Store, StoredLog } from './store.ts';

/** What the store has of one topic partition, with what retention announced to remove. */
export interface StoredLogs {
  readonly logs: ReadonlyMap<string, StoredLog>;
  /** Last entry of each log that was announced to go, by log id; none is read where every log begins at seq 0. */
  readonly pruned: ReadonlyMap<string, LogHead>;
}

/**
 * Reads the logs of a partition and, where one of them (or a recorded one) does not begin at 0, what was announced to be
 * removed. The announcements are taken as the store has them: `custody verify` holds them against the signed anchor log, this
 * is for whoever only has to know where to go on, and holds them against the recorded heads.
 */
export async function readStoredLogs(
  store: Store,
  source: LogSource,
  recorded: ReadonlyMap<string, LogHead>,
): Promise<StoredLogs> {
  const logs = await store.logs(source);
  const isWhole =
    [...logs.values()].every(({ firstSeq }) => firstSeq === 0n) &&
    [...recorded.keys()].every((log) => logs.has(log));
  return { logs, pruned: isWhole ? new Map() : await prunedHeads(store, source) };
}

async function prunedHeads(
  store: Store,
  { deployment, topicId, partition }: LogSource,
): Promise<Map<string, LogHead>> {
  return readPrunedHeads(store.raw, deployment, `endsWith(log, ${sqlString(`/${topicId}-${partition}/0`)})`);
}

/**
 * Last entry that the newest announcement of each log takes away, as the store has it; `logs` is a condition on the
 * column `log`.
 */
export async function readPrunedHeads(
  raw: RawQuery,
  deployment: string,
  logs: string,
): Promise<Map<string, LogHead>> {
  const heads = new Map<string, LogHead>();
  const rows = readRows(
    raw,
    `SELECT argMax(body, seq) FROM custody.anchor_entries WHERE origin = ${sqlString(anchorOrigin(deployment))} AND type = 'pruned' AND ${logs} GROUP BY log`,
    (read) => parseAnchorEntry(read.bytes()),
  );
  for await (const entry of rows) {
    if (entry?.type === 'pruned')
      heads.set(entry.log, { seq: BigInt(entry.first_seq) - 1n, leaf: entry.leaf });
  }
  return heads;
}

/** Whether all entries of the log up to its recorded head went by retention. */
export function isPrunedWhole(head: LogHead, pruned: LogHead | undefined): boolean {
  return pruned?.seq === head.seq && pruned.leaf === head.leaf;
}
