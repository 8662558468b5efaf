import { isIP } from 'node:net';
import type { Alert, Severity } from '../../../schemas/alert.ts';
import { product } from '../product.ts';

/** Version of the OCSF schema the attributes below belong to (schema.ocsf.io/1.8.0/classes/detection_finding). */
export const OCSF_VERSION = '1.8.0';

const severities: Record<Severity, { readonly id: number; readonly caption: string; readonly risk: number }> =
  {
    info: { id: 1, caption: 'Informational', risk: 0 },
    low: { id: 2, caption: 'Low', risk: 1 },
    medium: { id: 3, caption: 'Medium', risk: 2 },
    high: { id: 4, caption: 'High', risk: 3 },
    critical: { id: 5, caption: 'Critical', risk: 4 },
  };
const riskLevels = ['Info', 'Low', 'Medium', 'High', 'Critical'] as const;

/** security_control profile: action_id, disposition_id, with their captions. */
const dispositions = new Map([
  ['allow', { action_id: 1, action: 'Allowed', disposition_id: 1, disposition: 'Allowed' }],
  ['deny', { action_id: 2, action: 'Denied', disposition_id: 2, disposition: 'Blocked' }],
]);

export interface FindingContext {
  readonly findingUid: string;
  /** Size of the uncut event; set when texts of the alert were shortened to fit a limit. */
  readonly untruncatedBytes?: number;
}

/**
 * The alert as an OCSF Detection Finding object; keys in the order of the schema's groups. `time` is the event time of
 * the triggering event: the alert holds no other, which is what makes the export reproducible.
 */
export function detectionFinding(alert: Alert, context: FindingContext) {
  const timeMs = Number(BigInt(alert.time_unix_nano) / 1_000_000n);
  const percent = Math.round(alert.score * 100);
  const { id: severityId, caption, risk } = severities[alert.severity];
  // Of the incident so far, where there is one: it rises with the alerts that agree.
  const riskScore = alert.risk_score ?? percent;
  const disposition = dispositions.get(alert.policy_decision ?? '');
  const resources = resourcesOf(alert);
  return {
    activity_id: 1,
    activity_name: 'Create',
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    type_uid: 200401,
    type_name: 'Detection Finding: Create',
    time: timeMs,
    severity_id: severityId,
    severity: caption,
    ...statusOf(alert),
    message: alert.reason,
    ...disposition,
    ...confidence(percent),
    risk_score: Math.round(riskScore),
    risk_level_id: risk,
    risk_level: riskLevels[risk],
    metadata: {
      version: OCSF_VERSION,
      uid: alert.alert_id,
      product: {
        name: product.name,
        vendor_name: product.vendor,
        uid: product.name,
        version: product.version,
      },
      profiles: disposition === undefined ? [] : ['security_control'],
      tenant_uid: alert.tenant,
      event_code: alert.detector.id,
      log_name: 'custody.alerts',
      original_time: alert.time_unix_nano,
      ...(alert.trace_id !== undefined && { correlation_uid: alert.trace_id }),
      ...(context.untruncatedBytes !== undefined && {
        is_truncated: true,
        untruncated_size: Math.ceil(context.untruncatedBytes / 1024),
      }),
    },
    finding_info: {
      uid: context.findingUid,
      title: alert.title,
      desc: alert.reason,
      created_time: timeMs,
      last_seen_time: timeMs,
      analytic: {
        type_id: 2,
        type: 'Behavioral',
        uid: alert.detector.id,
        name: alert.detector.id,
        version: String(alert.detector.version),
      },
      attacks: [...alert.references.attack, ...alert.references.atlas].map(attack),
      related_events: alert.evidence.map((uid) => ({ uid })),
      related_events_count: alert.evidence.length,
    },
    evidences: [
      {
        uid: alert.evidence.at(-1),
        ...actor(alert),
        ...(alert.tool_name !== undefined && {
          api: {
            operation: 'tools/call',
            ...(alert.server_name !== undefined && { service: { name: alert.server_name } }),
          },
        }),
        data: { observed: alert.observed, normal: alert.normal, distance: alert.distance },
      },
    ],
    ...(resources.length > 0 && { resources }),
    observables: observables(alert),
    unmapped: {
      custody_schema: alert.schema,
      dedup_key: alert.dedup_key,
      score: alert.score,
      owasp: alert.references.owasp,
      ...(alert.policy_decision !== undefined && { policy_decision: alert.policy_decision }),
      ...(alert.destinations !== undefined && { destinations: alert.destinations }),
      ...(alert.incident_id !== undefined && { incident_id: alert.incident_id }),
      ...(alert.related_incidents !== undefined && { related_incidents: alert.related_incidents }),
      ...(alert.mode !== undefined && { mode: alert.mode }),
      ...(alert.suppressed_by !== undefined && { suppressed_by: alert.suppressed_by }),
    },
  };
}

/** What is on trial is no alert; what somebody silenced is one that is suppressed. */
function statusOf({ mode }: Alert) {
  if (mode === 'suppressed') return { status_id: 3, status: 'Suppressed', is_alert: true };
  return { status_id: 1, status: 'New', is_alert: mode !== 'shadow' };
}

function confidence(percent: number) {
  const id = percent < 34 ? 1 : percent < 67 ? 2 : 3;
  return { confidence_id: id, confidence: ['Low', 'Medium', 'High'][id - 1], confidence_score: percent };
}

function actor(alert: Alert) {
  const parts = {
    ...(alert.user_id !== undefined && { user: { uid: alert.user_id } }),
    ...(alert.session_key !== undefined && { session: { uid: alert.session_key } }),
    ...(alert.actor_id !== undefined && { app_uid: alert.actor_id }),
  };
  return Object.keys(parts).length > 0 ? { actor: parts } : {};
}

function resourcesOf(alert: Alert) {
  return [
    ...(alert.server_name === undefined ? [] : [{ type: 'mcp.server', name: alert.server_name }]),
    ...(alert.tool_name === undefined ? [] : [{ type: 'mcp.tool', name: alert.tool_name }]),
  ];
}

/** A sub-technique (`T1552.005`, `AML.T0034.002`) names its technique too, as the schema wants. */
function attack(uid: string) {
  const parent = /^((?:AML\.)?T\d+)\.\d+$/.exec(uid)?.[1];
  return parent === undefined
    ? { technique: { uid } }
    : { technique: { uid: parent }, sub_technique: { uid } };
}

const HOSTNAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})+$/i;

function observables(alert: Alert) {
  const resources = resourcesOf(alert);
  return [
    ...(alert.user_id === undefined
      ? []
      : [observable('evidences[0].actor.user.uid', 99, 'User UID', alert.user_id)]),
    ...(alert.session_key === undefined
      ? []
      : [observable('evidences[0].actor.session.uid', 99, 'Session UID', alert.session_key)]),
    ...(alert.actor_id === undefined
      ? []
      : [observable('evidences[0].actor.app_uid', 99, 'Agent UID', alert.actor_id)]),
    ...resources.map(({ type, name }, index) =>
      observable(`resources[${index}].name`, 99, type === 'mcp.tool' ? 'MCP Tool' : 'MCP Server', name),
    ),
    ...(alert.destinations ?? []).map((destination, index) => {
      const name = `unmapped.destinations[${index}]`;
      if (isIP(destination) !== 0) return observable(name, 2, 'IP Address', destination);
      if (HOSTNAME.test(destination)) return observable(name, 1, 'Hostname', destination);
      return observable(name, 99, 'Destination', destination);
    }),
  ];
}

function observable(name: string, type_id: number, type: string, value: string) {
  return { name, type_id, type, value };
}
