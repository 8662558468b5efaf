import type { SealedEntry } from '../../evidence/entry-builder.ts';

/** Text of one statement; the engine's default for `max_query_size` is 256 KiB. */
const CONDITION_MAX_CHARS = 200_000;
/** Ranges in one statement: each is evaluated for every row of the granules read. */
const RANGES_MAX = 100;
/** A log with more entries than this is named by a range, one with fewer by each place. */
const PLACES_OF_ONE_LOG_MAX = 16;

/**
 * SQL conditions that together select every row stored at the places of the entries, whatever its content. A batch
 * may hold one log or ten thousand, so a few long logs go by range and many short ones by a set of places. Log ids
 * come from a closed alphabet without quotes (evidence/log-id.ts).
 */
export function* placeConditions(entries: readonly SealedEntry[]): Generator<string> {
  const logs = new Map<string, { from: bigint; to: bigint }>();
  for (const { logId, seq } of entries) {
    const range = logs.get(logId);
    if (range === undefined) logs.set(logId, { from: seq, to: seq });
    else range.to = seq;
  }
  let ranges: string[] = [];
  let places: string[] = [];
  let placesChars = 0;
  for (const [log, { from, to }] of logs) {
    if (to - from < PLACES_OF_ONE_LOG_MAX) {
      for (let seq = from; seq <= to; seq++) {
        const place = `('${log}',${seq})`;
        places.push(place);
        placesChars += place.length + 1;
      }
    } else ranges.push(`(log = '${log}' AND seq BETWEEN ${from} AND ${to})`);
    if (placesChars > CONDITION_MAX_CHARS) {
      yield `(log, seq) IN (${places.join()})`;
      places = [];
      placesChars = 0;
    }
    if (ranges.length === RANGES_MAX) {
      yield ranges.join(' OR ');
      ranges = [];
    }
  }
  if (places.length > 0) yield `(log, seq) IN (${places.join()})`;
  if (ranges.length > 0) yield ranges.join(' OR ');
}
