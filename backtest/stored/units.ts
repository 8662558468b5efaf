import {
  eventsWhere,
  jsonRows,
  rangeParameters,
  type StoredQuery,
  type StoredRange,
} from './stored-query.ts';

/** A log of the store: what one tenant has in one partition since the topic was made. */
export interface StoredLog {
  readonly log: string;
  readonly tenant: string;
  readonly events: number;
  /** Sequence numbers of its events in the range. */
  readonly first: number;
  readonly last: number;
}

/** Logs that are played by one engine: all of one tenant, or several small tenants one after another. */
export interface Unit {
  readonly logs: readonly StoredLog[];
  readonly events: number;
}

/** Small tenants are read together up to so many events. */
const TOGETHER_EVENTS = 20_000;
const TOGETHER_LOGS = 64;

/** Every tenant in exactly one unit, the largest first, so that the last ones to finish are short. */
export async function planUnits(query: StoredQuery, range: StoredRange): Promise<Unit[]> {
  const rows = await jsonRows<{ log: string; tenant: string; n: string; first: string; last: string }>(
    await query(
      `SELECT log, tenant, toString(count()) AS n, toString(min(seq)) AS first, toString(max(seq)) AS last FROM custody.entries WHERE ${eventsWhere(range)} GROUP BY log, tenant ORDER BY tenant, min(kts_ms), log FORMAT JSONEachRow`,
      rangeParameters(range),
    ),
  );
  const tenants = new Map<string, StoredLog[]>();
  for (const { log, tenant, n, first, last } of rows) {
    const logs = tenants.get(tenant) ?? [];
    logs.push({ log, tenant, events: Number(n), first: Number(first), last: Number(last) });
    tenants.set(tenant, logs);
  }
  return joined([...tenants.values()]).sort((a, b) => b.events - a.events);
}

function joined(tenants: readonly (readonly StoredLog[])[]): Unit[] {
  const units: Unit[] = [];
  let small: StoredLog[] = [];
  let smallEvents = 0;
  const finish = () => {
    if (small.length > 0) units.push({ logs: small, events: smallEvents });
    small = [];
    smallEvents = 0;
  };
  for (const logs of tenants) {
    const events = logs.reduce((sum, log) => sum + log.events, 0);
    if (logs.length > 1 || events > TOGETHER_EVENTS) units.push({ logs, events });
    else {
      if (smallEvents + events > TOGETHER_EVENTS || small.length >= TOGETHER_LOGS) finish();
      small.push(...logs);
      smallEvents += events;
    }
  }
  finish();
  return units;
}
