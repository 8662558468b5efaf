import { hash } from 'node:crypto';
import { ALERT_SCHEMA, type Alert } from '../../schemas/alert.ts';
import type { DetectEvent, Detector, Finding, FindingSubject } from '../detector.ts';
import { cutText } from '../wording.ts';

const maxEvidence = 32;

/**
 * The alert of a finding. Its id is a version-8 UUID over detector id and version, tenant, dedup key and triggering
 * event, so a replay or a re-delivered event gives the same id.
 */
export function buildAlert(
  { id, version }: Detector,
  finding: Finding,
  detected: DetectEvent,
  sessionKey: string,
): Alert {
  const { event, timeMs } = detected;
  const detector = finding.detector ?? { id, version };
  const dedupKey =
    finding.dedupKey.length <= 512 ? finding.dedupKey : hash('sha256', finding.dedupKey, 'hex');
  const eventMs = Number(event.time_unix_nano.slice(0, -6));
  return {
    schema: ALERT_SCHEMA,
    alert_id: alertId(detector, event.tenant, dedupKey, event.event_id),
    detector,
    time_unix_nano: eventMs === timeMs ? event.time_unix_nano : `${timeMs}000000`,
    tenant: event.tenant,
    title: text(finding.title),
    severity: finding.severity,
    score: Math.min(1, Math.max(0, finding.score)),
    reason: text(finding.reason),
    observed: text(finding.observed),
    normal: text(finding.normal),
    distance: text(finding.distance),
    dedup_key: dedupKey,
    evidence: evidenceOf(finding, event.event_id),
    ...(finding.about === undefined
      ? { ...(sessionKey === '' ? {} : { session_key: sessionKey }), ...triggerFacts(detected) }
      : subjectFacts(finding.about)),
    references: finding.references,
    ...(finding.mode === undefined ? {} : { mode: finding.mode }),
    ...(finding.suppressedBy === undefined ? {} : { suppressed_by: finding.suppressedBy }),
    ...(finding.runbook === undefined ? {} : { runbook: finding.runbook }),
  };
}

/** Identity fields of an alert, absent ones left out. */
type AlertFacts = Partial<
  Pick<
    Alert,
    | 'session_key'
    | 'trace_id'
    | 'actor_id'
    | 'user_id'
    | 'server_name'
    | 'tool_name'
    | 'policy_decision'
    | 'destinations'
  >
>;

function triggerFacts(detected: DetectEvent): AlertFacts {
  const { event, call } = detected;
  const toolName = event.tool?.name ?? call?.tool;
  const destinations = call?.destinations ?? event.destinations;
  const decision =
    event.policy?.decision ??
    (detected.decision === 'none' || detected.decision === 'other' ? undefined : detected.decision);
  return {
    ...(event.trace?.trace_id === undefined ? {} : { trace_id: event.trace.trace_id }),
    ...(event.actor?.id === undefined ? {} : { actor_id: event.actor.id }),
    ...(event.actor?.user_id === undefined ? {} : { user_id: event.actor.user_id }),
    ...(event.server?.name === undefined ? {} : { server_name: event.server.name }),
    ...(toolName === undefined || toolName === '' ? {} : { tool_name: toolName }),
    ...(decision === undefined ? {} : { policy_decision: decision }),
    ...(destinations === undefined || destinations.length === 0
      ? {}
      : { destinations: destinations.slice(0, 32) }),
  };
}

function subjectFacts(about: FindingSubject): AlertFacts {
  return {
    ...(about.sessionKey === undefined ? {} : { session_key: about.sessionKey }),
    ...(about.traceId === undefined ? {} : { trace_id: about.traceId }),
    ...(about.actorId === undefined ? {} : { actor_id: about.actorId }),
    ...(about.userId === undefined ? {} : { user_id: about.userId }),
    ...(about.serverName === undefined ? {} : { server_name: about.serverName }),
    ...(about.toolName === undefined ? {} : { tool_name: about.toolName }),
    ...(about.decision === undefined ? {} : { policy_decision: about.decision }),
  };
}

function evidenceOf(finding: Finding, trigger: string): string[] {
  const earlier = new Set(finding.evidence);
  earlier.delete(trigger);
  return [...[...earlier].slice(1 - maxEvidence), trigger];
}

function text(value: string): string {
  return cutText(value, 2048);
}

function alertId(detector: Alert['detector'], tenant: string, dedupKey: string, eventId: string): string {
  const hex = hash(
    'sha256',
    `custody.alert/v1\n${detector.id}\n${detector.version}\n${tenant}\n${dedupKey}\n${eventId}`,
    'hex',
  );
  return uuidOfDigest(hex);
}

/** A version-8 UUID (RFC 9562) of the first 122 bits of a digest in hex. */
export function uuidOfDigest(hex: string): string {
  const variant = '89ab'.charAt(parseInt(hex.charAt(16), 16) & 3);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
