/** Asks the store; parameters are bound by the store, `{name:Type}` in the statement. */
export type StoredQuery = (
  statement: string,
  parameters?: Readonly<Record<string, string>>,
) => Promise<Response>;

/** What of the stored history is played, and what of it counts. Milliseconds since the epoch. */
export interface StoredRange {
  /** Append time from which events are read, to learn from. */
  readonly warmupFromMs: number;
  /** Time from which alerts count. */
  readonly fromMs: number;
  /** Append time before which events are read. */
  readonly toMs: number;
  readonly tenant: string | undefined;
}

const EVENTS = "topic = 'custody.events' AND kind = 'event'";

/** Events of the range, without those of the pipeline itself. */
export function eventsWhere({ tenant }: StoredRange): string {
  const whose =
    tenant === undefined ? "NOT startsWith(tenant, 'custody-control')" : 'tenant = {tenant:String}';
  return `${EVENTS} AND kts_ms >= {since:Int64} AND kts_ms < {until:Int64} AND ${whose}`;
}

export const CONTROL_WHERE = `${EVENTS} AND kts_ms < {until:Int64} AND startsWith(tenant, 'custody-control')`;

export function rangeParameters({ warmupFromMs, toMs, tenant }: StoredRange): Record<string, string> {
  return {
    since: String(Math.trunc(warmupFromMs)),
    until: String(Math.trunc(toMs)),
    ...(tenant === undefined ? {} : { tenant }),
  };
}

/** Rows of an answer in JSONEachRow; for small answers only. */
export async function jsonRows<Row>(answer: Response): Promise<Row[]> {
  const text = await answer.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}
