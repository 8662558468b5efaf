import type { CallRecord } from './call-merge.ts';
import type { Verdict } from './held-sessions.ts';
import type { CurrentIncident, IncidentTable } from './incident-grouping.ts';
import type { PolicyNote } from './policy-join.ts';
import type { SessionMemory } from './session-memory.ts';

/** What the engine itself keeps of one session. Everything in it is bounded by the constants beside its users. */
export interface SessionRecord {
  readonly tenant: string;
  /** Unique within the tenant; changes when a better-named session turns out to be the same task. */
  key: string;
  /** 2 = named by the agent, 0 = inferred. */
  rank: number;
  /** Position of its last event among all events the engine has processed: the eviction order. */
  lastSeq: number;
  /** Stream time of the tenant when it was last seen. */
  lastSeenMs: number;
  readonly openedMs: number;
  /** It has an alert of severity medium or more that nobody has dismissed. */
  quarantined: boolean;
  /** Incidents that its alerts of severity medium or more belong to, with the last word on each. */
  readonly incidents: Map<string, Verdict>;
  /** Where its further alerts go. */
  incident: CurrentIncident | undefined;
  callCount: number;
  readonly calls: CallRecord[];
  readonly policies: PolicyNote[];
  readonly memory: SessionMemory;
  /** The last event ids. */
  readonly seen: string[];
  /** Traces this session owns. */
  readonly traces: string[];
  /** When an alert was last raised, by detector and dedup key; made with the first. */
  alerted: Map<string, number> | undefined;
  /** One per detector, in the order of the detectors. */
  readonly states: unknown[];
}

export interface TenantRecord {
  readonly tenant: string;
  eventCount: number;
  lastSeq: number;
  /** Position at which the tenant came to hold as many sessions as it holds: ties of the fair share. */
  shareSeq: number;
  /** The latest clamped event time: what idle sessions are measured against. */
  streamMs: number;
  readonly states: unknown[];
  /** For events outside any session; made when first needed, never closed, teaches nothing. */
  ambient: SessionRecord | undefined;
  /** Closed sessions whose alerts nobody has judged yet, oldest first. */
  readonly held: HeldSession[];
  readonly incidents: IncidentTable;
}

/** What a closed session would teach, kept until its alerts are dismissed or confirmed. */
export interface HeldSession {
  readonly key: string;
  readonly incidents: Map<string, Verdict>;
  readonly closedMs: number;
  /** `weightOf` its states. */
  readonly weight: number;
  readonly states: unknown[];
}

/** A tenant with what is rebuilt from its sessions. */
export interface LiveTenant {
  readonly record: TenantRecord;
  /** Least recently seen first. */
  readonly sessions: Map<string, SessionRecord>;
  readonly traceOwners: Map<string, SessionRecord>;
}
