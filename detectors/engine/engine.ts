import type { Alert } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent, EventKind } from '../../schemas/event.ts';
import { eventKind } from '../../schemas/event.ts';
import type { PolicyDocument } from '../../schemas/policy-document.ts';
import { builtInDetectors } from '../built-in.ts';
import { rulesDetector } from '../rules/rules-detector.ts';
import type { DetectEvent, Detector, DetectorState, Finding } from '../detector.ts';
import type { Engine, EngineOptions } from './contract.ts';
import type { LiveTenant, SessionRecord, TenantRecord } from './engine-state.ts';
import { clampTimeMs } from './event-time.ts';
import { holdSession } from './held-sessions.ts';
import { changeOfIncident } from './incident-work.ts';
import { isNew, observeCall, opensSession } from './observe.ts';
import { createPoliciesInForce } from './policies-in-force.ts';
import { keepPolicy, policyForCall, policyForEvent } from './policy-join.ts';
import { rememberIntent, rememberResult } from './session-memory.ts';
import { createSessionTable } from './session-table.ts';
import { createAlertRaiser } from './raise-alert.ts';
import { createSharedTables } from './shared-tables.ts';
import { createStateChanges } from './state-changes.ts';
import { decodeState, encodeState, engineName, policiesName } from './snapshot.ts';

/** Raised when the engine's own records change shape. */
const stateVersion = 4;
const defaultRepeatAfterMs = 30 * 60_000;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export function createEngine(config: DetectConfig, options: EngineOptions = {}): Engine {
  const policies = createPoliciesInForce();
  const detectors = (
    options.detectors ?? [
      ...builtInDetectors(config, options.onScore),
      rulesDetector(() => policies.rules(), options.aroundRule),
    ]
  ).map((detector) => options.wrap?.(detector) ?? detector);
  const version = `detect-state/${stateVersion} ${detectors.map(({ id, version: v }) => `${id}/${v}`).join(' ')}`;
  const byKind = detectorsByKind(detectors);
  const learners = detectors.flatMap((detector, index) => (detector.learn === undefined ? [] : [index]));
  const shared = createSharedTables(detectors, config.shared_statistics.enabled);
  let epoch: number | undefined;
  let policiesChanged = false;
  const changes = createStateChanges(version);
  const raiser = createAlertRaiser(
    policies,
    options.repeatAfterMs ?? defaultRepeatAfterMs,
    changes.noteSession,
  );
  const counts = {
    calls: 0,
    merged: 0,
    duplicates: 0,
    clamped: 0,
    repeated: 0,
    unjudged: 0,
  };
  let seq = 0;

  const table = createSessionTable({
    sessionsMax: config.sessions_max,
    tenantsMax: config.tenants_max,
    sessionIdleMs: config.session_idle_ms,
    newTenantStates: (tenant) => detectors.map((detector) => detector.newTenantState(tenant)),
    newSessionStates: () => detectors.map((detector) => detector.newSessionState()),
    onSessionClosed(tenant, session) {
      if (session.quarantined) {
        counts.unjudged += holdSession(tenant.record, session, lessonsOf(session.states));
      } else learn(tenant, session.states);
      changes.noteTenant(tenant);
      changes.noteSessionGone(session);
    },
    onTenantDropped: changes.noteTenantGone,
  });
  table.onRename(changes.noteSessionGone);

  /** Handed to one detector after the other; a new one for each would be thirty objects an event. */
  const state: Writable<DetectorState<unknown, unknown>> = {
    tenant: undefined,
    session: undefined,
    shared: undefined,
  };

  function stateOf(tenant: LiveTenant, states: readonly unknown[], index: number) {
    state.tenant = tenant.record.states[index];
    state.session = states[index];
    const detector = detectors[index];
    state.shared = detector?.sharesItems === true ? shared.of(detector) : undefined;
    return state;
  }

  /** What of a session's states is needed to learn from it later. */
  function lessonsOf(states: readonly unknown[]): unknown[] {
    return states.map((state, index) => (detectors[index]?.learn === undefined ? undefined : state));
  }

  function learn(tenant: LiveTenant, states: readonly unknown[]): void {
    for (const index of learners) detectors[index]?.learn?.(stateOf(tenant, states, index));
  }

  function observe(session: SessionRecord, event: CustodyEvent, timeMs: number): DetectEvent {
    const registry = policies.registryOf(event.tenant);
    if (event.kind === 'policy') keepPolicy(session.policies, event, timeMs);
    rememberIntent(session.memory, event);
    const callCount = session.callCount;
    const { call, fresh } = observeCall(session, event, timeMs, { memory: session.memory, registry });
    if (fresh.call) counts.calls += 1;
    else if (call !== undefined) counts.merged += 1;
    const policy =
      call === undefined
        ? policyForEvent(session.policies, event, timeMs)
        : policyForCall(session.policies, call, timeMs);
    const { key, rank, openedMs, quarantined, memory } = session;
    return {
      event,
      timeMs,
      call,
      fresh,
      decision: policy.decision,
      ticket: policy.ticket,
      registry,
      session: {
        key,
        rank,
        callCount,
        openedMs,
        quarantined,
        untrustedSources: memory.untrusted,
        sensitive: memory.sensitive,
      },
      actorKey: event.actor?.id ?? event.client?.name ?? event.actor?.runtime_id ?? key,
    };
  }

  function detect(tenant: LiveTenant, session: SessionRecord, detected: DetectEvent): Alert[] {
    const alerts: Alert[] = [];
    let current: Detector | undefined;
    const raise = (finding: Finding) => {
      if (current === undefined) return;
      const alert = raiser.raise(current, finding, detected, tenant, session);
      if (alert === undefined) counts.repeated += 1;
      else alerts.push(alert);
    };
    for (const index of byKind.get(detected.event.kind) ?? []) {
      current = detectors[index];
      current?.step(detected, stateOf(tenant, session.states, index), raise);
    }
    return alerts;
  }

  /** A change of an incident is no event of the agents: it moves no clock and makes no tenant. */
  function judgeIncident({ tenant: name, incident }: CustodyEvent): void {
    const tenant = table.find(name);
    if (tenant === undefined || incident === undefined) return;
    changes.noteTenant(tenant);
    const { released, changed } = changeOfIncident(tenant, incident);
    for (const { states } of released) learn(tenant, states);
    changed.forEach(changes.noteSession);
  }

  return {
    process({ event, appendTimeMs }) {
      seq += 1;
      if (event.kind === 'policy_document') {
        policies.enter(event);
        policiesChanged = true;
        return [];
      }
      if (event.kind === 'incident') {
        judgeIncident(event);
        return [];
      }
      const timeMs = clampTimeMs(event.time_unix_nano, appendTimeMs);
      if (timeMs !== Number(event.time_unix_nano.slice(0, -6))) counts.clamped += 1;
      const tenant = table.touchTenant(event.tenant, seq);
      if (timeMs > tenant.record.streamMs) tenant.record.streamMs = timeMs;
      changes.noteTenant(tenant);
      table.closeIdle(tenant);
      const session = opensSession(event)
        ? table.sessionOf(tenant, event, seq)
        : table.sessionAround(tenant, event, seq);
      if (session !== tenant.record.ambient) changes.noteSession(session);
      if (!isNew(session.seen, event.event_id)) {
        counts.duplicates += 1;
        return [];
      }
      const detected = observe(session, event, timeMs);
      const alerts = detect(tenant, session, detected);
      if (detected.call !== undefined) rememberResult(session.memory, event, detected.call);
      const isEnd = event.kind === 'session' && event.session?.transition === 'end';
      if (isEnd && session !== tenant.record.ambient) table.close(tenant, session);
      return alerts;
    },

    *snapshot() {
      if (changes.isEmpty() && !policiesChanged) return;
      yield* changes.take();
      yield { name: engineName, value: encodeState(version, { seq, epoch }) };
      if (policiesChanged) yield { name: policiesName, value: encodeState(version, policies.saved()) };
      yield* shared.snapshot(version);
      policiesChanged = false;
    },

    restore(entries) {
      const decoded = entries.map(({ name, value }) => ({ name, state: decodeState(version, value) }));
      const of = (prefix: string) =>
        decoded.filter(({ name }) => name.startsWith(prefix)).map(({ state }) => state);
      const own = of(engineName)[0] as { seq: number; epoch: number | undefined } | undefined;
      seq = own?.seq ?? 0;
      epoch = own?.epoch;
      policies.restore((of(policiesName)[0] ?? []) as PolicyDocument[]);
      const sessions = of('session/') as SessionRecord[];
      table.restore(of('tenant/') as TenantRecord[], sessions);
      shared.restore((wanted) => decoded.find(({ name }) => name === wanted)?.state);
    },

    epoch: () => epoch,

    policyDigests: () => policies.digests(),

    epochChanges: () => shared.changes(),

    beginEpoch(next, visible) {
      epoch = next;
      shared.apply(visible);
    },

    stats() {
      let learningTenants = 0;
      let heldSessions = 0;
      let quarantinedSessions = 0;
      for (const { record, sessions } of table.tenants()) {
        heldSessions += record.held.length;
        for (const { quarantined } of sessions.values()) if (quarantined) quarantinedSessions += 1;
        if (detectors.some((detector, index) => detector.status?.(record.states[index]).learning === true))
          learningTenants += 1;
      }
      return {
        ...table.counts(),
        learningTenants,
        quarantinedSessions,
        events: seq,
        calls: counts.calls,
        mergedObservations: counts.merged,
        duplicateEvents: counts.duplicates,
        clampedTimes: counts.clamped,
        repeatedAlerts: counts.repeated,
        heldSessions,
        unjudgedSessions: counts.unjudged,
      };
    },

    learningTenants() {
      const count: Record<string, number> = {};
      for (const { record } of table.tenants())
        detectors.forEach((detector, index) => {
          if (detector.status?.(record.states[index]).learning !== true) return;
          count[`learning/${detector.id}`] = (count[`learning/${detector.id}`] ?? 0) + 1;
        });
      return count;
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

/** Places of the detectors that want to see a kind of event, in their order. */
function detectorsByKind(detectors: readonly Detector[]): ReadonlyMap<EventKind, readonly number[]> {
  return new Map(
    eventKind.options.map((kind) => [
      kind,
      detectors.flatMap(({ kinds }, index) => (kinds === undefined || kinds.includes(kind) ? [index] : [])),
    ]),
  );
}
