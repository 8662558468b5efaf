import type { Alert, Severity } from '../schemas/alert.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import type { SharedStatistics } from './engine/shared-statistics.ts';

/**
 * One detection, as a pure reducer over the events of one tenant in log order. A detector reads no clock, no
 * randomness and no file: the same events give the same alerts with the same ids, live, in replay and in a test
 * (promise P5). It may change the state it is handed; it keeps nothing else.
 *
 * State is plain data (objects, arrays, typed arrays, Map, Set, numbers, strings, bigint) so that the engine can
 * snapshot it, and it is bounded by the detector: a hostile sender must not be able to grow it without end.
 */
export interface Detector<Tenant = unknown, Session = unknown> {
  /** kebab-case, stable: part of alert ids. */
  readonly id: string;
  /** Raised when the same events would give other alerts, or when the state changes shape. */
  readonly version: number;
  newTenantState(tenant: string): Tenant;
  newSessionState(): Session;
  /** Uses `state.shared`. */
  readonly sharesItems?: boolean;
  /** Called for each event that says something new (repeated deliveries never get here). */
  step(event: DetectEvent, state: DetectorState<Tenant, Session>, raise: Raise): void;
  /**
   * The session has raised an alert of severity medium or more (of any detector): take back what it taught, so that
   * attackers cannot teach us their ways. After it, `step` is called with `event.quarantined` and must not learn.
   */
  quarantine?(state: DetectorState<Tenant, Session>): void;
  /** The session ended: explicitly, idle in stream time, or evicted. Its state is dropped afterwards. */
  closeSession?(state: DetectorState<Tenant, Session>, quarantined: boolean): void;
  /** Whether the detector still learns what is normal for this tenant, and from how much. */
  status?(tenant: Tenant): { readonly learning: boolean; readonly seen: number };
}

export interface DetectorState<Tenant, Session> {
  readonly tenant: Tenant;
  readonly session: Session;
  /** Knowledge across tenants; `undefined` where nothing is shared, which is the default. */
  readonly shared: SharedStatistics | undefined;
}

/** What the engine tells a detector about one event. Valid during the call of `step` only. */
export interface DetectEvent {
  readonly event: CustodyEvent;
  /** Event time clamped to the log's append time (`event-time.ts`): a sender's clock cannot move windows. */
  readonly timeMs: number;
  /**
   * The tool call this event is about, merged from what every vantage point has said so far; undefined for events
   * about no call. An `api_call` behind a tool is about the tool's call.
   */
  readonly call: CallFacts | undefined;
  /** What this event adds to what was known. */
  readonly fresh: Fresh;
  /** Policy decision for this call: its own, else the one of a policy event for the same call. */
  readonly decision: Decision;
  /** Change ticket of this call or of its policy event. */
  readonly ticket: string | undefined;
  /** The session is under an alert: detect, but do not learn. */
  readonly quarantined: boolean;
}

/** `other`: redacted, asked or warned; `none`: nobody told us. */
export type Decision = 'allow' | 'deny' | 'other' | 'none';

export interface Fresh {
  /** First observation of the call: count it now. */
  readonly call: boolean;
  readonly argumentsSize: boolean;
  readonly resultSize: boolean;
  /** First word on how the call ended. */
  readonly outcome: boolean;
  readonly destinations: readonly string[];
}

/** One call as known so far. */
export interface CallFacts {
  /** Position in its session, from 0. */
  readonly index: number;
  /** First observation. */
  readonly eventId: string;
  readonly timeMs: number;
  readonly tool: string;
  readonly toolKey: string;
  /** `itemHash` of the tool key. */
  readonly toolHash: number;
  readonly action: ActionClass;
  readonly continuation: boolean;
  readonly argumentsDigest: string | undefined;
  readonly argumentsBytes: number | undefined;
  readonly resultDigest: string | undefined;
  readonly resultBytes: number | undefined;
  readonly category: ResultCategory | undefined;
  readonly destinations: readonly string[];
}

export type ActionClass = NonNullable<NonNullable<CustodyEvent['tool']>['action']>;
export type ResultCategory = NonNullable<NonNullable<CustodyEvent['result']>['category']>;

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
  /** What the alert is about; the same key again in the session within the repeat window raises nothing. */
  readonly dedupKey: string;
  /** Ids of earlier events that prove it, oldest first; the engine appends the triggering event. */
  readonly evidence?: readonly string[];
  /** Whom and what it is about, where that is not the triggering event: time that went by is seen by whatever comes next. */
  readonly about?: FindingSubject;
  readonly references: Alert['references'];
}

/** What an alert says of the event it is about. */
export interface FindingSubject {
  readonly sessionKey: string | undefined;
  readonly traceId: string | undefined;
  readonly actorId: string | undefined;
  readonly userId: string | undefined;
  readonly serverName: string | undefined;
  readonly toolName: string | undefined;
  readonly decision: string | undefined;
}

/** A tool across servers: `server/tool`, or `tool` when no server is named. */
export function toolKeyOf(event: CustodyEvent): string | undefined {
  const tool = event.tool?.name;
  if (tool === undefined) return undefined;
  const server = event.server?.name;
  return server === undefined ? tool : `${server}/${tool}`;
}

/** The call changes something, runs something or sends something out. */
export function isConsequential(action: ActionClass): boolean {
  return action === 'write' || action === 'execute' || action === 'egress';
}
