import type { IncidentChange } from '../../schemas/incident.ts';
import { jsonRows, rangeParameters, type StoredQuery, type StoredRange } from './stored-query.ts';

/** An alert the ledger has. */
export interface StoredAlert {
  readonly alert_id: string;
  readonly detector_id: string;
  readonly severity: string;
  readonly title: string;
  readonly session_key: string;
  readonly time: string;
}

const PAGE = 20_000;
const ALERTS_MAX = 500_000;

/** Alerts of the range by id, as they fired. */
export async function storedAlerts(
  query: StoredQuery,
  range: StoredRange,
): Promise<Map<string, StoredAlert>> {
  const whose = range.tenant === undefined ? '' : ' AND tenant = {tenant:String}';
  const found = new Map<string, StoredAlert>();
  for (let after = ''; found.size < ALERTS_MAX;) {
    const rows = await jsonRows<StoredAlert>(
      await query(
        `SELECT alert_id, any(detector_id) AS detector_id, any(severity) AS severity, any(title) AS title, any(session_key) AS session_key, toString(min(event_time)) AS time FROM custody.alerts WHERE alert_id > {after:String} AND toUnixTimestamp64Milli(toDateTime64(event_time, 3, 'UTC')) >= {low:Int64} AND toUnixTimestamp64Milli(toDateTime64(event_time, 3, 'UTC')) < {until:Int64}${whose} GROUP BY alert_id ORDER BY alert_id LIMIT ${PAGE} FORMAT JSONEachRow`,
        { ...rangeParameters(range), low: String(Math.trunc(range.fromMs)), after },
      ),
    );
    for (const row of rows) found.set(row.alert_id, row);
    after = rows.at(-1)?.alert_id ?? '';
    if (rows.length < PAGE) return found;
  }
  return found;
}

/** What people decided about incidents: the last word on each. */
export async function storedDispositions(
  query: StoredQuery,
): Promise<ReadonlyMap<string, NonNullable<IncidentChange['disposition']>>> {
  const rows = await jsonRows<{ change: string }>(
    await query(
      "SELECT JSONExtractRaw(body, 'incident') AS change FROM custody.entries WHERE topic = 'custody.events' AND kind = 'event' AND event_kind = 'incident' ORDER BY kts_ms, koffset LIMIT 100000 FORMAT JSONEachRow",
    ),
  );
  const found = new Map<string, NonNullable<IncidentChange['disposition']>>();
  for (const { change } of rows) {
    const { incident_id: incident, disposition } = JSON.parse(change) as Partial<IncidentChange>;
    if (incident !== undefined && disposition !== undefined) found.set(incident, disposition);
  }
  return found;
}
