import { eventsWhere, rangeParameters, type StoredQuery, type StoredRange } from './stored-query.ts';
import { ROW_COLUMNS } from './stored-row.ts';
import type { Unit } from './units.ts';

/** Rows of one answer: the server bounds an answer's size and time, and two of them are held for each worker. */
const PAGE_EVENTS = 20_000;

/** The events of a unit in the order of their log, as RowBinary answers. The store reads each in the order of its key. */
export async function* pagesOf(
  query: StoredQuery,
  range: StoredRange,
  unit: Unit,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const parameters = rangeParameters(range);
  const rows = async (where: string, more: Readonly<Record<string, string>>) => {
    const answer = await query(
      `SELECT ${ROW_COLUMNS} FROM custody.entries WHERE ${where} AND ${eventsWhere(range)} ORDER BY log, seq FORMAT RowBinary`,
      { ...parameters, ...more },
    );
    return new Uint8Array(await answer.arrayBuffer());
  };
  const [only] = unit.logs;
  if (unit.logs.length > 1 && unit.events <= PAGE_EVENTS) {
    // Names of logs have no blanks. An array as a parameter is written differently for a client and for a URL.
    const isOne =
      "has(splitByChar(' ', {logs:String}), log) AND log >= {low:String} AND log <= {high:String}";
    yield await rows(isOne, {
      logs: unit.logs.map(({ log }) => log).join(' '),
      low: least(unit.logs.map(({ log }) => log)),
      high: greatest(unit.logs.map(({ log }) => log)),
    });
    return;
  }
  if (only === undefined) return;
  for (const { log, first, last } of unit.logs)
    for (let from = first; from <= last; from += PAGE_EVENTS)
      yield await rows('log = {log:String} AND seq >= {low:UInt64} AND seq < {high:UInt64}', {
        log,
        low: String(from),
        high: String(Math.min(from + PAGE_EVENTS, last + 1)),
      });
}

const least = (texts: readonly string[]) => texts.reduce((a, b) => (a < b ? a : b));
const greatest = (texts: readonly string[]) => texts.reduce((a, b) => (a > b ? a : b));
