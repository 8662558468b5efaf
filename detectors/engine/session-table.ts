import type { CustodyEvent } from '../../schemas/event.ts';
import type { LiveTenant, SessionRecord, TenantRecord } from './engine-state.ts';
import { createFairShare } from './fair-share.ts';
import { newIncidentTable } from './incident-grouping.ts';
import { newSessionMemory } from './session-memory.ts';

/** Tenants with fewer events than this go first when there are too many: made-up tenants drive out themselves. */
const establishedEvents = 20;
const maxTracesPerSession = 8;

export interface SessionTableOptions {
  readonly sessionsMax: number;
  readonly tenantsMax: number;
  readonly sessionIdleMs: number;
  readonly newTenantStates: (tenant: string) => unknown[];
  readonly newSessionStates: () => unknown[];
  /** Called before a session is dropped, for whatever reason. */
  readonly onSessionClosed: (tenant: LiveTenant, session: SessionRecord) => void;
  readonly onTenantDropped: (tenant: LiveTenant) => void;
}

export type SessionTable = ReturnType<typeof createSessionTable>;

/** Tenants and their open sessions, bounded, in an order that survives a restart. */
export function createSessionTable(options: SessionTableOptions) {
  const newcomers = new Map<string, LiveTenant>();
  const established = new Map<string, LiveTenant>();
  const share = createFairShare<LiveTenant>();
  let sessionCount = 0;
  const evicted = { sessions: 0, tenants: 0 };

  /** Tenant of the last event: in its place already. */
  let latest: LiveTenant | undefined;

  const homeOf = ({ eventCount }: TenantRecord) =>
    eventCount >= establishedEvents ? established : newcomers;
  const find = (name: string) => established.get(name) ?? newcomers.get(name);

  function touchTenant(name: string, seq: number): LiveTenant {
    let tenant = find(name);
    if (tenant === undefined) {
      if (newcomers.size + established.size >= options.tenantsMax) evictTenant();
      const states = options.newTenantStates(name);
      tenant = adopt({
        tenant: name,
        eventCount: 0,
        lastSeq: seq,
        shareSeq: seq,
        streamMs: 0,
        states,
        ambient: undefined,
        held: [],
        incidents: newIncidentTable(),
      });
    }
    const { record } = tenant;
    record.lastSeq = seq;
    record.eventCount += 1;
    if (record.eventCount === establishedEvents) {
      newcomers.delete(name);
      established.set(name, tenant);
    }
    if (tenant === latest) return tenant;
    latest = tenant;
    const home = homeOf(record);
    home.delete(name);
    home.set(name, tenant);
    return tenant;
  }

  function adopt(record: TenantRecord): LiveTenant {
    const tenant: LiveTenant = { record, sessions: new Map(), traceOwners: new Map() };
    homeOf(record).set(record.tenant, tenant);
    return tenant;
  }

  function evictTenant(): void {
    const victims = newcomers.size > 0 ? newcomers : established;
    const victim = victims.values().next().value;
    if (victim === undefined) return;
    for (const session of [...victim.sessions.values()]) close(victim, session);
    victims.delete(victim.record.tenant);
    evicted.tenants += 1;
    options.onTenantDropped(victim);
  }

  function count(tenant: LiveTenant, change: 1 | -1, seq: number): void {
    share.move(tenant, tenant.sessions.size - change, tenant.sessions.size);
    tenant.record.shareSeq = seq;
    sessionCount += change;
  }

  function close(tenant: LiveTenant, session: SessionRecord): void {
    options.onSessionClosed(tenant, session);
    for (const trace of session.traces) tenant.traceOwners.delete(trace);
    tenant.sessions.delete(session.key);
    count(tenant, -1, tenant.record.lastSeq);
  }

  /** Closes what has been idle in stream time; the map is in order of last use. */
  function closeIdle(tenant: LiveTenant): void {
    for (const session of tenant.sessions.values()) {
      if (tenant.record.streamMs - session.lastSeenMs <= options.sessionIdleMs) return;
      close(tenant, session);
    }
  }

  function newSession({ record }: LiveTenant, key: string, rank: number, seq: number): SessionRecord {
    return {
      tenant: record.tenant,
      key,
      rank,
      lastSeq: seq,
      lastSeenMs: record.streamMs,
      openedMs: record.streamMs,
      quarantined: false,
      incidents: new Map(),
      incident: undefined,
      callCount: 0,
      calls: [],
      policies: [],
      memory: newSessionMemory(),
      seen: [],
      traces: [],
      alerted: undefined,
      states: options.newSessionStates(),
    };
  }

  function open(tenant: LiveTenant, key: string, rank: number, seq: number): SessionRecord {
    const session = newSession(tenant, key, rank, seq);
    tenant.sessions.set(key, session);
    count(tenant, 1, seq);
    while (sessionCount > options.sessionsMax) {
      const largest = share.largest();
      const oldest = largest?.sessions.values().next().value;
      if (largest === undefined || oldest === undefined || oldest === session) break;
      evicted.sessions += 1;
      close(largest, oldest);
    }
    return session;
  }

  /**
   * The session an event belongs to. A trace belongs to the best-named session seen in it, so a server's span that
   * only knows its trace joins the agent's conversation; when the better name comes second, the session is renamed.
   */
  function sessionOf(tenant: LiveTenant, event: CustodyEvent, seq: number): SessionRecord {
    const key = keyOf(event);
    const rank = rankOf(event);
    const traceId = event.trace?.trace_id;
    const owner = traceId === undefined ? undefined : tenant.traceOwners.get(traceId);
    let session = tenant.sessions.get(key);
    if (owner !== undefined && owner !== session) {
      if (owner.rank > rank || (owner.rank === rank && rank < 2)) session = owner;
      else if (owner.rank < rank && session === undefined) session = rename(tenant, owner, key, rank);
    }
    session ??= open(tenant, key, rank, seq);
    if (traceId !== undefined && (owner === undefined || owner.rank < session.rank))
      own(tenant, session, traceId, owner);
    session.lastSeq = seq;
    session.lastSeenMs = tenant.record.streamMs;
    tenant.sessions.delete(session.key);
    tenant.sessions.set(session.key, session);
    return session;
  }

  /** The open session an event of a kind that opens none is seen in; else the tenant's ambient one. */
  function sessionAround(tenant: LiveTenant, event: CustodyEvent, seq: number): SessionRecord {
    const traceId = event.trace?.trace_id;
    const owner = traceId === undefined ? undefined : tenant.traceOwners.get(traceId);
    return (
      owner ?? tenant.sessions.get(keyOf(event)) ?? (tenant.record.ambient ??= newSession(tenant, '', 0, seq))
    );
  }

  function rename(tenant: LiveTenant, session: SessionRecord, key: string, rank: number): SessionRecord {
    tenant.sessions.delete(session.key);
    onRenamed(session);
    session.key = key;
    session.rank = rank;
    tenant.sessions.set(key, session);
    return session;
  }

  function own(
    tenant: LiveTenant,
    session: SessionRecord,
    traceId: string,
    before: SessionRecord | undefined,
  ): void {
    if (before === session) return;
    if (before !== undefined) before.traces.splice(before.traces.indexOf(traceId), 1);
    tenant.traceOwners.set(traceId, session);
    session.traces.push(traceId);
    if (session.traces.length <= maxTracesPerSession) return;
    const oldest = session.traces.shift();
    if (oldest !== undefined) tenant.traceOwners.delete(oldest);
  }

  let onRenamed: (session: SessionRecord) => void = () => undefined;

  return {
    find,
    touchTenant,
    closeIdle,
    close,
    sessionOf,
    sessionAround,
    /** Called with the session while it still has its old key. */
    onRename(listener: (session: SessionRecord) => void) {
      onRenamed = listener;
    },
    /** Puts restored records back; the caller hands them over in any order. */
    restore(tenants: TenantRecord[], sessions: SessionRecord[]) {
      for (const record of tenants.sort((a, b) => a.lastSeq - b.lastSeq)) adopt(record);
      for (const session of sessions.sort((a, b) => a.lastSeq - b.lastSeq)) {
        const tenant = find(session.tenant);
        if (tenant === undefined) continue;
        tenant.sessions.set(session.key, session);
        for (const trace of session.traces) tenant.traceOwners.set(trace, session);
        sessionCount += 1;
      }
      for (const record of tenants.sort((a, b) => a.shareSeq - b.shareSeq)) {
        const tenant = find(record.tenant);
        if (tenant !== undefined) share.move(tenant, 0, tenant.sessions.size);
      }
    },
    counts: () => ({
      tenants: newcomers.size + established.size,
      sessions: sessionCount,
      evictedSessions: evicted.sessions,
      evictedTenants: evicted.tenants,
    }),
    tenants: function* () {
      yield* newcomers.values();
      yield* established.values();
    },
  };
}

function keyOf(event: CustodyEvent): string {
  return event.session?.key ?? event.trace?.trace_id ?? `actor:${event.actor?.id ?? ''}`;
}

/** An `actor:` fallback and everything inferred rank lowest; what the agent itself names ranks highest. */
function rankOf(event: CustodyEvent): number {
  switch (event.session?.confidence) {
    case 'high':
      return 2;
    case 'medium':
      return 1;
    default:
      return 0;
  }
}
