import { parseLogId } from '../evidence/log-id.ts';
import { IntegrityError } from '../runtime/errors.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { formatDay } from '../sinks/store/day.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { StoredDay } from './plan.ts';

/** The day partitions the store has, oldest first. */
export async function storedDays(raw: RawQuery): Promise<StoredDay[]> {
  const days: StoredDay[] = [];
  const rows = readRows(
    raw,
    'SELECT toUInt16(day), count() FROM custody.entries GROUP BY day ORDER BY day',
    (read) => ({ day: read.uint16(), entryCount: read.uint64() }),
  );
  for await (const row of rows) days.push(row);
  return days;
}

/** Last entry of each log on each day up to `upTo`. */
export async function lastOfDays(
  raw: RawQuery,
  upTo: number,
): Promise<{ readonly day: number; readonly log: string; readonly seq: bigint }[]> {
  const found: { day: number; log: string; seq: bigint }[] = [];
  const rows = readRows(
    raw,
    `SELECT toUInt16(day), log, max(seq) FROM custody.entries WHERE day <= '${formatDay(upTo)}' GROUP BY day, log ORDER BY day, log`,
    (read) => ({ day: read.uint16(), log: read.string(), seq: read.uint64() }),
  );
  for await (const row of rows) found.push(row);
  return found;
}

/** What the store has of a log on both sides of a cut. */
export interface StoredCut {
  readonly log: string;
  /** Lowest and highest seq up to the day of the cut. */
  readonly first: bigint;
  readonly last: bigint;
  /** Leaf of `last`, lower-case hex. */
  readonly leaf: string;
  /** Lowest seq after that day; `undefined` when the log has nothing there. */
  readonly next: bigint | undefined;
}

/**
 * Every log with entries up to the day, checked: what would go is a whole piece of the log, and nothing of it is later.
 * @throws IntegrityError (LOG_ID, GAP, DAY) naming the first log of which that is not so.
 */
export async function storedCuts(raw: RawQuery, upTo: number): Promise<StoredCut[]> {
  const goes = `day <= '${formatDay(upTo)}'`;
  const rows = readRows(
    raw,
    `SELECT log, min(seq), max(seq), argMax(leaf, seq), count() FROM custody.entries WHERE ${goes} GROUP BY log ORDER BY log`,
    (read) => ({
      log: read.string(),
      first: read.uint64(),
      last: read.uint64(),
      leaf: read.hex(32),
      count: read.uint64(),
    }),
  );
  const ends: { cut: Omit<StoredCut, 'next'>; count: bigint }[] = [];
  for await (const { count, ...cut } of rows) ends.push({ cut, count });
  const later = ends.length === 0 ? new Map<string, bigint>() : await firstsAfter(raw, upTo);
  const cuts: StoredCut[] = [];
  for (const { cut, count } of ends) {
    const { log, first, last } = cut;
    if (parseLogId(log) === undefined) refuse('LOG_ID', 'a row of the store names no log', log);
    const span = last - first + 1n;
    if (count < span || (count > span && (await distinctCount(raw, log, goes)) !== span))
      refuse('GAP', `entries between seq ${first} and ${last} are missing`, log);
    const next = later.get(log);
    if (next !== undefined && next !== last + 1n) {
      const cause = next <= last ? 'DAY' : 'GAP';
      refuse(cause, `up to that day it ends at seq ${last}, after it begins at ${next}`, log);
    }
    cuts.push({ ...cut, next });
  }
  return cuts;
}

async function firstsAfter(raw: RawQuery, day: number): Promise<Map<string, bigint>> {
  const rows = readRows(
    raw,
    `SELECT log, min(seq) FROM custody.entries WHERE day > '${formatDay(day)}' GROUP BY log`,
    (read) => ({ log: read.string(), seq: read.uint64() }),
  );
  const firsts = new Map<string, bigint>();
  for await (const { log, seq } of rows) firsts.set(log, seq);
  return firsts;
}

/** Identical copies of entries are harmless; they must not hide that one is missing. */
async function distinctCount(raw: RawQuery, log: string, where: string): Promise<bigint> {
  const rows = readRows(
    raw,
    `SELECT uniqExact(seq) FROM custody.entries WHERE log = ${sqlString(log)} AND ${where}`,
    (read) => read.uint64(),
  );
  let distinct = 0n;
  for await (const row of rows) distinct = row;
  return distinct;
}

function refuse(cause: string, reason: string, log: string): never {
  throw new IntegrityError(`cannot prune log ${log.slice(0, 300)}: ${cause}: ${reason}; nothing was removed`);
}
