import {
  createEntryBuilder,
  type LogHead,
  type LogSource,
  type SealedEntry,
} from '../../evidence/entry-builder.ts';
import type { Topic } from '../../streams/topic.ts';
import { readRows } from './clickhouse-store.ts';
import type { RawQuery } from './store.ts';
import type { Places } from './verify-places.ts';
import type { FindingLog } from './verify-report.ts';

/** A stored row by place. */
export interface StoredPlace extends LogHead {
  readonly log: string;
}

export const placeKey = (log: string, seq: bigint) => `${log} ${seq}`;

interface Rebuild {
  readonly topic: Topic;
  readonly source: LogSource;
  readonly start: { readonly day: number; readonly heads: Iterable<readonly [string, LogHead]> };
  readonly from: bigint;
  /** Exclusive. */
  readonly to: bigint;
}

const ENTRIES_PER_CHUNK = 2000;

async function* rebuilt({ topic, source, start, from, to }: Rebuild): AsyncGenerator<SealedEntry[]> {
  const builder = createEntryBuilder(source, start);
  let chunk: SealedEntry[] = [];
  for await (const record of topic.read(source.partition, from, to)) {
    chunk.push(...builder.add(record));
    if (chunk.length < ENTRIES_PER_CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Compares rows beyond the recorded heads with the entries the records give; removes from `tail` what is proven. A
 * missing row is reported only when every row was noted (`tailWhole`).
 */
export async function compareTail(
  rebuild: Rebuild,
  { tail, tailWhole, isSigned }: Pick<Places, 'tail' | 'tailWhole' | 'isSigned'>,
  wanted: (log: string) => boolean,
  findings: FindingLog,
): Promise<void> {
  const missing: SealedEntry[] = [];
  for await (const chunk of rebuilt(rebuild)) {
    for (const entry of chunk) {
      if (!wanted(entry.logId)) continue;
      const key = placeKey(entry.logId, entry.seq);
      const stored = tail.get(key);
      if (stored === undefined) {
        if (isSigned(entry.logId, entry.seq)) continue;
        if (tailWhole && missing.length < ENTRIES_PER_CHUNK) missing.push(entry);
        continue;
      }
      for (const gone of missing.splice(0)) {
        findings.add({
          cause: 'GAP',
          log: gone.logId,
          seq: gone.seq,
          column: null,
          detail: 'a later record of the partition is stored, this one is not',
        });
      }
      if (stored.some(({ leaf }) => leaf !== entry.leaf)) {
        findings.add({
          cause: 'REPAIR_DIFF',
          log: entry.logId,
          seq: entry.seq,
          column: null,
          detail: 'the record in the log gives another entry',
        });
      }
      tail.delete(key);
    }
  }
}

/** Builds entries from the records again and compares each with the stored leaf. Reports the first difference per log. */
export async function compareRebuild(
  raw: RawQuery,
  rebuild: Rebuild,
  wanted: (log: string) => boolean,
  findings: FindingLog,
): Promise<number> {
  const differing = new Set<string>();
  let count = 0;
  for await (const chunk of rebuilt(rebuild)) {
    const entries = chunk.filter(({ logId }) => wanted(logId) && !differing.has(logId));
    if (entries.length === 0) continue;
    const ranges = new Map<string, { from: bigint; to: bigint }>();
    for (const { logId, seq } of entries)
      ranges.set(logId, { from: ranges.get(logId)?.from ?? seq, to: seq });
    const where = [...ranges].map(
      ([log, { from, to }]) => `(log = '${log}' AND seq >= ${from} AND seq <= ${to})`,
    );
    const stored = new Map<string, string>();
    const rows = readRows(
      raw,
      `SELECT log, seq, leaf FROM custody.entries WHERE ${where.join(' OR ')}`,
      (read) => ({
        log: read.string(),
        seq: read.uint64(),
        leaf: read.hex(32),
      }),
    );
    for await (const { log, seq, leaf } of rows) stored.set(placeKey(log, seq), leaf);
    for (const { logId, seq, leaf } of entries) {
      count += 1;
      const found = stored.get(placeKey(logId, seq));
      if (found === leaf || differing.has(logId)) continue;
      differing.add(logId);
      const detail =
        found === undefined
          ? 'the record is in the log, its entry is not stored'
          : 'the record in the log gives another entry';
      findings.add({
        cause: found === undefined ? 'GAP' : 'REPAIR_DIFF',
        log: logId,
        seq,
        column: null,
        detail,
      });
    }
  }
  return count;
}
