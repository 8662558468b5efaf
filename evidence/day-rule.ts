import { utcDay } from './entry-builder.ts';
import type { RawEntry } from './raw-entry.ts';

interface Violation {
  readonly log: string;
  readonly seq: bigint;
  readonly detail: string;
}
type DatedRow = Pick<RawEntry, 'log' | 'seq' | 'topic' | 'partition' | 'offset' | 'appendTimeMs' | 'day'>;

/** Rows remembered whose day is later than their append time; a log whose clock never goes back has none. */
const LATE_ROWS_MAX = 10_000;

/**
 * Checks `day` = latest UTC day of an append time in the topic partition up to the row. Rows come log by log, so a
 * row whose day is later than its own append time is decided at the end: an earlier offset must have had that day.
 */
export function createDayRule(): { push(row: DatedRow): void; violations(): Violation[] } {
  /** Lowest offset whose append time falls on the day, by topic, partition and day. */
  const firstOffset = new Map<string, bigint>();
  const late: { readonly key: string; readonly row: Violation & { readonly offset: bigint } }[] = [];
  const found: Violation[] = [];
  let lastKey = '';
  let lastDay = -1;
  let lastLog = '';

  const keyOf = (row: DatedRow, day: number): string => {
    if (row.log !== lastLog || day !== lastDay) {
      lastLog = row.log;
      lastDay = day;
      // All tenants of one topic partition share what follows their name in the log id.
      const afterTenant = row.log.slice(row.log.indexOf('/', row.log.indexOf('/') + 1));
      lastKey = `${row.topic}${afterTenant}/${day}`;
    }
    return lastKey;
  };

  return {
    push(row) {
      const own = utcDay(Number(row.appendTimeMs));
      if (row.day < own) {
        found.push({ log: row.log, seq: row.seq, detail: 'the day is before the append time' });
        return;
      }
      const key = keyOf(row, own);
      const first = firstOffset.get(key);
      if (first === undefined || row.offset < first) firstOffset.set(key, row.offset);
      if (row.day === own) return;
      if (late.length >= LATE_ROWS_MAX) return;
      const { log, seq, offset } = row;
      late.push({
        key: keyOf(row, row.day),
        row: { log, seq, offset, detail: 'no earlier record of the partition was on that day' },
      });
    },
    violations() {
      for (const { key, row } of late) {
        const first = firstOffset.get(key);
        if (first === undefined || first >= row.offset) found.push(row);
      }
      return found;
    },
  };
}
