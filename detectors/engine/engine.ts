import type { Alert, Severity } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { buildAlert } from './alert-build.ts';
import { builtInDetectors } from '../built-in.ts';
import { type DetectEvent, type Detector, type Finding } from '../detector.ts';
import type { LiveTenant, SessionRecord, TenantRecord } from './engine-state.ts';
import { clampTimeMs } from './event-time.ts';
import { concernsDetectors, dropOldest, isNew, observeCall } from './observe.ts';
import { keepPolicy, policyForCall, policyForEvent } from './policy-join.ts';
import { createSessionTable } from './session-table.ts';
import type { EpochChanges, SharedChange } from './shared-statistics.ts';
import { createSharedTables } from './shared-tables.ts';
import {
  decodeState,
  encodeState,
  engineName,
  sessionName,
  tenantName,
  type StateChange,
} from './snapshot.ts';

/** Raised when the engine's own records change shape. */
const stateVersion = 2;
const maxAlerted = 64;
const defaultRepeatAfterMs = 30 * 60_000;

export interface EngineOptions {
  /** Instead of the built-in four, for tests and evaluation. */
  readonly detectors?: readonly Detector[];
  /** The same finding again in a session is silent for this long. */
  readonly repeatAfterMs?: number;
}

export interface DetectRecord {
  readonly event: CustodyEvent;
  /** The log's append time of the record. */
  readonly appendTimeMs: number;
}

/**
 * Runs detectors over the events of one partition in log order. Synchronous and deterministic: the alerts are a
 * function of the records since the log began, or since the snapshot that was restored.
 */
export interface Engine {
  /** Alerts in the order of the detectors. */
  process(record: DetectRecord): Alert[];
  /**
   * What changed since the last call, as named pieces for one atomic write together with the log position. Pieces are
   * made as they are asked for: take all of them before the next event. If the write fails, throw the engine away and
   * restore a new one.
   */
  snapshot(): Iterable<StateChange>;
  /** Puts all pieces back into a new engine. Throws SnapshotVersionError, with nothing restored. */
  restore(entries: readonly { readonly name: string; readonly value: Uint8Array }[]): void;
  stats(): EngineStats;
  /** Epoch of the records being processed; `undefined` before the first, and where nothing is shared. */
  epoch(): number | undefined;
  /** What this partition's tenants changed in the current epoch so far. */
  epochChanges(): Readonly<Record<string, readonly SharedChange[]>>;
  /**
   * Goes on to a later epoch: its own changes of the current one are forgotten (they were told to all partitions), those
   * of all partitions that became visible are applied in the order given. Every earlier epoch must have been applied.
   */
  beginEpoch(epoch: number, visible: readonly EpochChanges[]): void;
  /** How far the detectors have learned what is normal for the tenant, by detector id. */
  learning(tenant: string): Record<string, { readonly learning: boolean; readonly seen: number }>;
}

export type EngineStats = Record<
  | 'tenants'
  | 'sessions'
  | 'learningTenants'
  | 'quarantinedSessions'
  | 'events'
  | 'calls'
  | 'mergedObservations'
  | 'duplicateEvents'
  | 'clampedTimes'
  | 'evictedSessions'
  | 'evictedTenants'
  | 'repeatedAlerts',
  number
>;

export function createEngine(config: DetectConfig, options: EngineOptions = {}): Engine {
  const detectors = options.detectors ?? builtInDetectors(config);
  const repeatAfterMs = options.repeatAfterMs ?? defaultRepeatAfterMs;
  const version = `detect-state/${stateVersion} ${detectors.map(({ id, version: v }) => `${id}/${v}`).join(' ')}`;
  const shared = createSharedTables(detectors, config.shared_statistics.enabled);
  let epoch: number | undefined;
  const changedTenants = new Map<string, LiveTenant | undefined>();
  const changedSessions = new Set<SessionRecord>();
  const goneSessions = new Set<string>();
  const counts = {
    quarantined: 0,
    calls: 0,
    merged: 0,
    duplicates: 0,
    clamped: 0,
    repeated: 0,
  };
  let seq = 0;

  const table = createSessionTable({
    sessionsMax: config.sessions_max,
    tenantsMax: config.tenants_max,
    sessionIdleMs: config.session_idle_ms,
    newTenantStates: (tenant) => detectors.map((detector) => detector.newTenantState(tenant)),
    newSessionStates: () => detectors.map((detector) => detector.newSessionState()),
    onSessionClosed(tenant, session) {
      detectors.forEach((detector, index) => {
        detector.closeSession?.(stateOf(tenant, session, index), session.quarantined);
      });
      if (session.quarantined) counts.quarantined -= 1;
      changedTenants.set(tenant.record.tenant, tenant);
      forget(session);
    },
    onTenantDropped: (tenant) => changedTenants.set(tenant.record.tenant, undefined),
  });
  table.onRename(forget);

  function forget(session: SessionRecord): void {
    changedSessions.delete(session);
    goneSessions.add(sessionName(session.tenant, session.key));
  }

  function stateOf(tenant: LiveTenant, session: SessionRecord, index: number) {
    return {
      tenant: tenant.record.states[index],
      session: session.states[index],
      shared: shared.of(detectors[index]),
    };
  }

  function quarantine(tenant: LiveTenant, session: SessionRecord): void {
    session.quarantined = true;
    counts.quarantined += 1;
    detectors.forEach((detector, index) => detector.quarantine?.(stateOf(tenant, session, index)));
  }

  function observe(session: SessionRecord, event: CustodyEvent, timeMs: number): DetectEvent {
    if (event.kind === 'policy') keepPolicy(session.policies, event, timeMs);
    const { call, fresh } = observeCall(session, event, timeMs);
    if (fresh.call) counts.calls += 1;
    else if (call !== undefined) counts.merged += 1;
    const policy =
      call === undefined
        ? policyForEvent(session.policies, event, timeMs)
        : policyForCall(session.policies, call, timeMs);
    return {
      event,
      timeMs,
      call,
      fresh,
      ...policy,
      quarantined: session.quarantined,
    };
  }

  function detect(tenant: LiveTenant, session: SessionRecord, detected: DetectEvent): Alert[] {
    const alerts: Alert[] = [];
    let current: Detector | undefined;
    const raise = (finding: Finding) => {
      if (current === undefined) return;
      if (isRepeat(session, current.id, finding, detected.timeMs)) counts.repeated += 1;
      else alerts.push(buildAlert(current, finding, detected, session.key));
    };
    for (let index = 0; index < detectors.length; index += 1) {
      current = detectors[index];
      current?.step(detected, stateOf(tenant, session, index), raise);
    }
    return alerts;
  }

  function isRepeat(session: SessionRecord, detectorId: string, finding: Finding, timeMs: number): boolean {
    const key = `${detectorId}\n${finding.dedupKey}`;
    const beforeMs = session.alerted.get(key);
    if (beforeMs !== undefined && timeMs - beforeMs < repeatAfterMs) return true;
    session.alerted.delete(key);
    session.alerted.set(key, timeMs);
    if (session.alerted.size > maxAlerted) dropOldest(session.alerted.keys(), session.alerted);
    return false;
  }

  return {
    process({ event, appendTimeMs }) {
      seq += 1;
      if (!concernsDetectors(event)) return [];
      const timeMs = clampTimeMs(event.time_unix_nano, appendTimeMs);
      if (timeMs !== Number(event.time_unix_nano.slice(0, -6))) counts.clamped += 1;
      const tenant = table.touchTenant(event.tenant, seq);
      if (timeMs > tenant.record.streamMs) tenant.record.streamMs = timeMs;
      table.closeIdle(tenant);
      const session = table.sessionOf(tenant, event, seq);
      changedTenants.set(event.tenant, tenant);
      changedSessions.add(session);
      if (!isNew(session.seen, event.event_id)) {
        counts.duplicates += 1;
        return [];
      }
      const detected = observe(session, event, timeMs);
      const alerts = detect(tenant, session, detected);
      // An alert about another session, raised because time went by, is no reason to mistrust this one.
      const isSuspect = alerts.some(
        ({ severity, session_key }) => quarantines[severity] && session_key === session.key,
      );
      if (!session.quarantined && isSuspect) quarantine(tenant, session);
      if (event.kind === 'session' && event.session?.transition === 'end') table.close(tenant, session);
      return alerts;
    },

    *snapshot() {
      if (changedSessions.size + goneSessions.size + changedTenants.size === 0) return;
      for (const session of changedSessions) {
        const name = sessionName(session.tenant, session.key);
        goneSessions.delete(name);
        yield { name, value: encodeState(version, session) };
      }
      for (const name of goneSessions) yield { name, value: undefined };
      for (const [name, tenant] of changedTenants) {
        const value = tenant === undefined ? undefined : encodeState(version, tenant.record);
        yield { name: tenantName(name), value };
      }
      yield { name: engineName, value: encodeState(version, { seq, epoch }) };
      yield* shared.snapshot(version);
      goneSessions.clear();
      changedSessions.clear();
      changedTenants.clear();
    },

    restore(entries) {
      const decoded = entries.map(({ name, value }) => ({ name, state: decodeState(version, value) }));
      const of = (prefix: string) =>
        decoded.filter(({ name }) => name.startsWith(prefix)).map(({ state }) => state);
      const own = of(engineName)[0] as { seq: number; epoch: number | undefined } | undefined;
      seq = own?.seq ?? 0;
      epoch = own?.epoch;
      const sessions = of('session/') as SessionRecord[];
      table.restore(of('tenant/') as TenantRecord[], sessions);
      counts.quarantined = sessions.filter(({ quarantined }) => quarantined).length;
      shared.restore((wanted) => decoded.find(({ name }) => name === wanted)?.state);
    },

    epoch: () => epoch,

    epochChanges: () => shared.changes(),

    beginEpoch(next, visible) {
      epoch = next;
      shared.apply(visible);
    },

    stats() {
      let learningTenants = 0;
      for (const { record } of table.tenants())
        if (detectors.some((detector, index) => detector.status?.(record.states[index]).learning === true))
          learningTenants += 1;
      return {
        ...table.counts(),
        learningTenants,
        quarantinedSessions: counts.quarantined,
        events: seq,
        calls: counts.calls,
        mergedObservations: counts.merged,
        duplicateEvents: counts.duplicates,
        clampedTimes: counts.clamped,
        repeatedAlerts: counts.repeated,
      };
    },

    learning(tenant) {
      const states = table.find(tenant)?.record.states;
      return Object.fromEntries(
        detectors.flatMap((detector, index) => {
          const status = states === undefined ? undefined : detector.status?.(states[index]);
          return status === undefined ? [] : [[detector.id, status]];
        }),
      );
    },
  };
}

const quarantines: Readonly<Record<Severity, boolean>> = {
  info: false,
  low: false,
  medium: true,
  high: true,
  critical: true,
};
