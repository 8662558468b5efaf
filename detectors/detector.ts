import type { Alert, Severity } from '../schemas/alert.ts';
import type { CustodyEvent, EventKind } from '../schemas/event.ts';
import type { ValueOrigin } from '../schemas/provenance.ts';
import type { SharedStatistics } from './engine/shared-statistics.ts';
import type { Registry } from './registry/registry.ts';

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
  /** Kinds of events `step` wants to see. All when absent: with thirty detectors, only where needed. */
  readonly kinds?: readonly EventKind[];
  /** Called for each event that says something new (repeated deliveries never get here). Raises; learns nothing. */
  step(event: DetectEvent, state: DetectorState<Tenant, Session>, raise: Raise): void;
  /**
   * The session ended and none of its alerts is open, or they were dismissed: takes what it showed, as kept in the session
   * state, into what is normal here. This is the only place where behaviour is learned, so that attackers cannot teach us
   * their ways. Counters over time (rates, budgets, bursts) are no behaviour and may change in `step`.
   */
  learn?(state: DetectorState<Tenant, Session>): void;
  /** Whether the detector still learns what is normal for this tenant, and from how much. */
  status?(tenant: Tenant): { readonly learning: boolean; readonly seen: number };
}

/** What a detector works on. Valid during the call of `step` or `learn` only: the engine hands the same object to all. */
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
  /** What people have decided, as in force at this record's place in the log. */
  readonly registry: Registry | undefined;
  readonly session: SessionFacts;
  /** Who acts, for state per actor: `actor.id`, else client, else runtime, else the session. */
  readonly actorKey: string;
}

export interface SessionFacts {
  readonly key: string;
  /** 2 = named by the agent, 0 = inferred. */
  readonly rank: number;
  /** Calls before this event. */
  readonly callCount: number;
  readonly openedMs: number;
  /** It has an alert of severity medium or more. */
  readonly quarantined: boolean;
  /** Calls whose output strangers may have written, oldest first, at most 16. */
  readonly untrustedSources: readonly SourceFacts[];
  /** Classes of sensitive data that results have shown so far, with the call that first did. */
  readonly sensitive: ReadonlyMap<string, SourceFacts>;
}

/** An earlier call of the session, as the source of a value. */
export interface SourceFacts {
  readonly index: number;
  readonly eventId: string;
  readonly toolKey: string;
  readonly server: string | undefined;
  readonly zone: string | undefined;
  /** Strangers may have written what it returned. */
  readonly untrusted: boolean;
  /** What it returned speaks to a model: it has the form of an instruction. */
  readonly instructs: boolean;
}

/** A value in a call's arguments: never the value. */
export interface ValueFacts {
  /** `recipients[]` */
  readonly path: string;
  /** 52 bits of the value's keyed fingerprint: equal values of a tenant have equal hashes. */
  readonly hash: number;
  readonly sizeBytes: number;
  /** Characters in it that look encoded or random. */
  readonly randomChars: number;
  readonly origin: ValueOrigin;
  /** For `output`. */
  readonly source: SourceFacts | undefined;
}

/** A destination of a call and where its name came from. */
export interface ContactFacts {
  readonly destination: string;
  /** `itemHash` of it. */
  readonly hash: number;
  readonly origin: ValueOrigin;
  readonly source: SourceFacts | undefined;
  /** False where a longer text only mentions it. */
  readonly addressed: boolean;
  /** A part of its name stood in what the agent was asked, or in a destination that did. */
  readonly named: boolean;
}

/** `other`: redacted, asked or warned; `none`: nobody told us. */
export type Decision = 'allow' | 'deny' | 'other' | 'none';

export interface Fresh {
  /** First observation of the call: count it now. */
  readonly call: boolean;
  readonly argumentsSize: boolean;
  readonly resultSize: boolean;
  /** The arguments' values are told. */
  readonly values: boolean;
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
  readonly server: string | undefined;
  /** Of the tool, as registered. */
  readonly zone: string | undefined;
  /** As registered, else by the tool's name and the server's own word. */
  readonly action: ActionClass;
  /** Registered or annotated so, or its name says so. */
  readonly traits: ToolTraits;
  readonly continuation: boolean;
  readonly argumentsDigest: string | undefined;
  readonly argumentsBytes: number | undefined;
  readonly resultDigest: string | undefined;
  readonly resultBytes: number | undefined;
  readonly category: ResultCategory | undefined;
  readonly destinations: readonly string[];
  /** One for each destination. */
  readonly contacts: readonly ContactFacts[];
  readonly values: readonly ValueFacts[];
  /** Of the arguments, as the sum over values that came from an output. */
  readonly flowBytes: number;
}

export interface ToolTraits {
  readonly changesState: boolean;
  /** Removes or overwrites what cannot be brought back. */
  readonly destructive: boolean;
  /** Changes who may do what: grants, keys, passwords, ownership. */
  readonly privileged: boolean;
  /** Moves money or orders something, by its name. */
  readonly financial: boolean;
  /** Its results hold what strangers wrote. */
  readonly untrustedOutput: boolean;
  /** Its arguments leave for elsewhere. */
  readonly egress: boolean;
}

export type ActionClass = NonNullable<NonNullable<CustodyEvent['tool']>['action']>;
export type ResultCategory = NonNullable<NonNullable<CustodyEvent['result']>['category']>;

/** Receives every score, alert or not; for evaluation. */
export type ScoreProbe = (score: {
  readonly eventId: string;
  readonly sessionKey: string;
  readonly callIndex: number;
  readonly detector: string;
  readonly score: number;
}) => void;

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
  /** Where the detector speaks for several, such as rules: who says it. */
  readonly detector?: { readonly id: string; readonly version: number };
  readonly mode?: Alert['mode'];
  readonly suppressedBy?: string;
  readonly runbook?: string;
  /**
   * False where the finding says that a rule was broken and nothing about whether the agent was misled, such as a missing
   * ticket: then the session may be learned from. True when absent.
   */
  readonly holds?: boolean;
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
