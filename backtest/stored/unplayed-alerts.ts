import type { StoredAlert } from './stored-alerts.ts';
import {
  eventsWhere,
  jsonRows,
  rangeParameters,
  type StoredQuery,
  type StoredRange,
} from './stored-query.ts';

/** Ids of one statement; the server bounds a statement's length. */
const IDS = 2_000;
const ID = /^[0-9a-f-]{36}$/;

/**
 * Of alerts that fired and were not raised again, those whose triggering event is not among the events that were played: it
 * came before the warm-up or after the end, was removed, or is one of the pipeline itself. They say nothing about detectors.
 */
export async function unplayedAlerts(
  query: StoredQuery,
  range: StoredRange,
  missing: Iterable<StoredAlert>,
): Promise<ReadonlySet<string>> {
  const ids = [...missing].map(({ alert_id: id }) => id).filter((id) => ID.test(id));
  const unplayed = new Set<string>();
  for (let from = 0; from < ids.length; from += IDS) {
    const triggers = await jsonRows<{ alert_id: string; event_id: string }>(
      await query(
        `SELECT alert_id, any(evidence[-1]) AS event_id FROM custody.alerts WHERE alert_id IN (${listed(ids.slice(from, from + IDS))}) GROUP BY alert_id FORMAT JSONEachRow`,
      ),
    );
    const events = triggers.map(({ event_id: id }) => id).filter((id) => ID.test(id));
    const played = events.length === 0 ? [] : await playedOf(query, range, events);
    const wasPlayed = new Set(played);
    for (const { alert_id: alert, event_id: event } of triggers)
      if (!wasPlayed.has(event)) unplayed.add(alert);
  }
  return unplayed;
}

async function playedOf(
  query: StoredQuery,
  range: StoredRange,
  events: readonly string[],
): Promise<string[]> {
  const rows = await jsonRows<{ event_id: string }>(
    await query(
      `SELECT DISTINCT event_id FROM custody.entries WHERE ${eventsWhere(range)} AND event_id IN (${listed(events)}) FORMAT JSONEachRow`,
      rangeParameters(range),
    ),
  );
  return rows.map(({ event_id: id }) => id);
}

/** Safe in a statement: nothing but ids. */
const listed = (ids: readonly string[]) => ids.map((id) => `'${id}'`).join(',');
