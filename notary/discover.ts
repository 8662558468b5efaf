import { parseLogId } from '../evidence/log-id.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { NotaryState } from './state.ts';

/** Entries of a log that are not signed yet, as far as the store has them. */
export interface Unsigned {
  readonly log: string;
  /** Size of the log that is signed. */
  readonly from: bigint;
  /** Last seq the store has. */
  readonly to: bigint;
}

/**
 * Replicas give the parts of a partition in any order, so a later record can be seen before an earlier one of another log.
 * Looking back this far finds it; after a start everything is looked at.
 */
const LOOK_BACK_MS = 10 * 60_000;

/**
 * What the store has beyond the signed sizes. Append time never goes back within a topic partition, so only rows from
 * what was signed last are looked at, unless `whole`.
 */
export async function findUnsigned(
  raw: RawQuery,
  deployment: string,
  state: NotaryState,
  whole: boolean,
): Promise<Unsigned[]> {
  const found: Unsigned[] = [];
  const recent = whole ? '1' : recentRows(state);
  const rows = readRows(
    raw,
    `SELECT toString(log), max(seq) FROM custody.entries WHERE startsWith(log, ${sqlString(`${deployment}/`)}) AND ${recent} GROUP BY log ORDER BY log`,
    (read) => ({ log: read.string(), to: read.uint64() }),
  );
  for await (const { log, to } of rows) {
    // A row under a name that is no log id is nobody's entry; verification reports it.
    if (parseLogId(log)?.deployment !== deployment) continue;
    const from = state.logs.get(log)?.range.end ?? 0n;
    if (to >= from) found.push({ log, from, to });
  }
  return found;
}

function recentRows({ signedUpToMs }: NotaryState): string {
  if (signedUpToMs.size === 0) return '1';
  const known: string[] = [];
  const places: string[] = [];
  for (const [place, ms] of signedUpToMs) {
    const [topic = '', partition = ''] = place.split('/');
    places.push(`(${sqlString(topic)}, ${Number(partition)})`);
    known.push(
      `(topic = ${sqlString(topic)} AND kpart = ${Number(partition)} AND kts_ms >= ${ms - LOOK_BACK_MS})`,
    );
  }
  return `(${known.join(' OR ')} OR (topic, kpart) NOT IN (${places.join()}))`;
}

/**
 * Logs whose last signed entry the store does not have any more, or has with another leaf; not those of which retention
 * announced to remove exactly everything.
 */
export async function findLost(
  raw: RawQuery,
  state: NotaryState,
): Promise<{ readonly log: string; readonly seq: bigint; readonly isOther: boolean }[]> {
  const lost: { log: string; seq: bigint; isOther: boolean }[] = [];
  const logs = [...state.logs];
  for (let at = 0; at < logs.length; at += LOGS_PER_QUERY) {
    const some = logs.slice(at, at + LOGS_PER_QUERY).filter(([, { range, prunedBelow }]) => {
      return prunedBelow === undefined || range.end > prunedBelow;
    });
    if (some.length === 0) continue;
    const places = some.map(([log, { range }]) => `(${sqlString(log)},${range.end - 1n})`).join();
    const leaves = new Map<string, string[]>();
    const rows = readRows(
      raw,
      `SELECT toString(log), leaf FROM custody.entries WHERE (log, seq) IN (${places})`,
      (read) => ({ log: read.string(), leaf: read.hex(32) }),
    );
    for await (const { log, leaf } of rows) leaves.set(log, [...(leaves.get(log) ?? []), leaf]);
    for (const [log, { leaf, range }] of some) {
      const stored = leaves.get(log) ?? [];
      if (!stored.includes(leaf)) lost.push({ log, seq: range.end - 1n, isOther: stored.length > 0 });
    }
  }
  return lost;
}

const LOGS_PER_QUERY = 500;
