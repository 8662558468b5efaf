import type { Alert, Severity } from '../../schemas/alert.ts';
import type { IncidentChange } from '../../schemas/incident.ts';
import { isConsequential, type DetectEvent } from '../detector.ts';
import type { HeldSession, LiveTenant, SessionRecord } from './engine-state.ts';
import { judgeHeld, judgeOpen, quarantine, quarantineHeld, verdictOf } from './held-sessions.ts';
import { changeIncident, joinIncident } from './incident-grouping.ts';

/** Alerts of these severities keep their session from being learned from. */
const quarantines: Readonly<Record<Severity, boolean>> = {
  info: false,
  low: false,
  medium: true,
  high: true,
  critical: true,
};

/**
 * Puts the alert into its incident, and holds back the session it is about: that of the event, or another one where it was
 * raised because time went by. Gives the open session that changed by it.
 */
export function enterIncident(
  tenant: LiveTenant,
  session: SessionRecord,
  alert: Alert,
  detected: DetectEvent,
  holds: boolean,
): { readonly alert: Alert; readonly changed: SessionRecord | undefined } {
  const { session_key: key } = alert;
  const about = key === session.key ? session : key === undefined ? undefined : tenant.sessions.get(key);
  const { id, isOwn, risk, related } = joinIncident(tenant.record.incidents, alert, {
    timeMs: detected.timeMs,
    consequence: about === session && wasDone(detected),
    current: about?.incident,
  });
  if (about !== undefined) about.incident = { id, isOwn };
  if (holds && quarantines[alert.severity]) {
    if (about !== undefined) quarantine(about, id);
    else if (key !== undefined) quarantineHeld(tenant.record, key, id);
  }
  const named = related.length === 0 ? {} : { related_incidents: [...related] };
  return { alert: { ...alert, incident_id: id, risk_score: risk, ...named }, changed: about };
}

/**
 * Somebody has changed an incident: a resolved one takes no more alerts; by its disposition, what its sessions showed is
 * learned after all, or never. Gives the closed sessions to learn from now, and the open ones that changed.
 */
export function changeOfIncident(
  tenant: LiveTenant,
  change: IncidentChange,
): { readonly released: readonly HeldSession[]; readonly changed: readonly SessionRecord[] } {
  changeIncident(tenant.record.incidents, change);
  const verdict = verdictOf(change);
  if (verdict === undefined) return { released: [], changed: [] };
  const id = change.incident_id;
  return {
    released: judgeHeld(tenant.record, id, verdict),
    changed: [...tenant.sessions.values()].filter((session) => judgeOpen(session, id, verdict)),
  };
}

/** The call changed, ran or sent something, and nobody refused it. */
function wasDone({ call, decision }: DetectEvent): boolean {
  return (
    call !== undefined && isConsequential(call.action) && decision !== 'deny' && call.category !== 'denied'
  );
}
