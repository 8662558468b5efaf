import type { Alert, Severity } from '../schemas/alert.ts';
import type { CustodyEvent } from '../schemas/event.ts';

/**
 * One detection, as a pure reducer over the events of one tenant in log order. A detector reads no clock, no
 * randomness and no file: the same events give the same alerts with the same ids, live, in replay and in a test
 * (promise P5). It may change the state it is handed; it keeps nothing else.
 *
 * State is plain data (objects, arrays, Map, Set, numbers, strings, bigint) so that the engine can snapshot it, and
 * it is bounded by the detector: a hostile sender must not be able to grow it without end.
 */
export interface Detector<TenantState = unknown, SessionState = unknown> {
  /** kebab-case, stable: part of alert ids. */
  readonly id: string;
  /** Raised when the same events would give other alerts. */
  readonly version: number;
  newTenantState(): TenantState;
  newSessionState(): SessionState;
  /** Called once per event that counts (observations of one call by several vantage points are merged before). */
  step(event: DetectEvent, tenant: TenantState, session: SessionState, raise: Raise): void;
  /**
   * The session has raised an alert (of any detector): take back what it taught, so that attackers cannot teach us
   * their ways. After it, `step` is called with `event.quarantined` and must not learn.
   */
  quarantine?(tenant: TenantState, session: SessionState): void;
  /** The session ended: explicitly, idle in stream time, or evicted. Its state is dropped afterwards. */
  closeSession?(tenant: TenantState, session: SessionState, quarantined: boolean): void;
}

/** What the engine tells a detector about one event. */
export interface DetectEvent {
  readonly event: CustodyEvent;
  /** Event time clamped to the log's append time, in ms: a sender's clock of 1970 or 2200 cannot move windows. */
  readonly timeMs: number;
  /** Policy decision for this call: its own, else the one of a policy event for the same call in the same trace. */
  readonly decision: 'allow' | 'deny' | 'other' | 'none';
  /** Change ticket of this call or of its policy event. */
  readonly ticket: string | undefined;
  /** The session is under an alert: detect, but do not learn. */
  readonly quarantined: boolean;
  /** Earlier events of the same session, newest last, bounded: for evidence. */
  readonly recent: readonly RecentEvent[];
}

export interface RecentEvent {
  readonly eventId: string;
  readonly toolKey: string | undefined;
  readonly timeMs: number;
}

/** Raises an alert; the engine adds id, schema, tenant, time, identity fields and the triggering event. */
export type Raise = (finding: Finding) => void;

export interface Finding {
  readonly title: string;
  readonly severity: Severity;
  /** In [0, 1]. */
  readonly score: number;
  readonly reason: string;
  readonly observed: string;
  readonly normal: string;
  readonly distance: string;
  /** What the alert is about; repeated findings with one key within `repeatAfterMs` raise one alert. */
  readonly dedupKey: string;
  /** Ids of earlier events that prove it, oldest first; the engine appends the triggering event. */
  readonly evidence?: readonly string[];
  readonly references: Alert['references'];
}

/** A tool across servers: `server/tool`, or `tool` when no server is named. */
export function toolKeyOf(event: CustodyEvent): string | undefined {
  const tool = event.tool?.name;
  if (tool === undefined) return undefined;
  const server = event.server?.name;
  return server === undefined ? tool : `${server}/${tool}`;
}
