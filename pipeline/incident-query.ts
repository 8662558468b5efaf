import { z } from 'zod';
import { alertSchema, severity } from '../schemas/alert.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { disposition, incidentStatus } from '../schemas/incident.ts';
import { sqlString } from '../sinks/store/sql-text.ts';

/** What is asked of the incidents in the store; every text in it has a closed alphabet or is quoted. */
export const incidentFilter = z.strictObject({
  tenant: z.string().regex(TENANT_PATTERN).optional(),
  /** `unresolved`: every one that is not resolved. */
  status: z.enum([...incidentStatus.options, 'unresolved']).optional(),
  /** With an alert at or after this time. */
  since: z.iso.datetime({ offset: true }).optional(),
  assignee: z.string().max(256).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
});

export type IncidentFilter = z.infer<typeof incidentFilter>;

const time = z.string().transform((text) => `${text.replace(' ', 'T')}Z`);
const texts = z.array(z.string());

/** One row of `custody.incidents`. */
export const incidentRow = z.object({
  incident_id: z.uuid(),
  tenant: z.string(),
  status: incidentStatus,
  assignee: z.string(),
  disposition,
  severity,
  risk_score: z.number(),
  title: z.string(),
  opened_time: time,
  first_alert_time: time,
  last_alert_time: time,
  alert_count: z.number(),
  detectors: texts,
  sessions: texts,
  actors: texts,
  servers: texts,
  related_incidents: texts,
  change_count: z.number(),
  time_to_acknowledge_sec: z.number().nullable(),
  time_to_resolve_sec: z.number().nullable(),
});

/** One alert of an incident, with its place in the ledger. */
export const incidentAlertRow = z.object({
  append_time: time,
  event_time: time,
  alert_id: z.string(),
  detector_id: z.string(),
  severity: alertSchema.shape.severity,
  title: z.string(),
  reason: z.string(),
  evidence: texts,
  session_key: z.string(),
  actor_id: z.string(),
  server_name: z.string(),
  tool_name: z.string(),
  destinations: texts,
  runbook: z.string(),
  log: z.string(),
  seq: z.number(),
});

/** One change of an incident, with its place in the ledger. */
export const incidentChangeRow = z.object({
  append_time: time,
  status: z.string(),
  assignee: z.string(),
  has_assignee: z.number(),
  disposition: z.string(),
  note: z.string(),
  changed_by: z.string(),
  log: z.string(),
  seq: z.number(),
});

/** One row of `custody.detector_kpis`. */
export const detectorKpiRow = z.object({
  tenant: z.string(),
  detector_id: z.string(),
  alerts: z.number(),
  shadow_alerts: z.number(),
  suppressed_alerts: z.number(),
  incidents: z.number(),
  true_positives: z.number(),
  benign_true_positives: z.number(),
  false_positives: z.number(),
  false_positive_rate: z.number().nullable(),
  mean_time_to_detect_sec: z.number().nullable(),
  mean_time_to_acknowledge_sec: z.number().nullable(),
  mean_time_to_resolve_sec: z.number().nullable(),
});

export type IncidentRow = z.infer<typeof incidentRow>;
export type IncidentAlertRow = z.infer<typeof incidentAlertRow>;
export type IncidentChangeRow = z.infer<typeof incidentChangeRow>;
export type DetectorKpiRow = z.infer<typeof detectorKpiRow>;

/** Alerts, and changes, of one incident that are shown. */
export const DETAIL_ROWS = 200;

/** Engines quote 64-bit numbers or not; these are counts, and fit. */
const COUNTS: ReadonlySet<string> = new Set([
  'alert_count',
  'change_count',
  'seq',
  'alerts',
  'shadow_alerts',
  'suppressed_alerts',
  'incidents',
  'true_positives',
  'benign_true_positives',
  'false_positives',
]);
const columnsOf = (row: { readonly shape: object }) =>
  Object.keys(row.shape)
    .map((name) => (COUNTS.has(name) ? `toFloat64(${name}) AS ${name}` : name))
    .join(', ');

/** The incidents that matter most of those asked for. */
export function incidentsStatement({ tenant, status, since, assignee, limit }: IncidentFilter): string {
  const conditions = [
    ...(tenant === undefined ? [] : [`tenant = ${sqlString(tenant)}`]),
    ...(status === undefined
      ? []
      : [status === 'unresolved' ? "status != 'resolved'" : `status = ${sqlString(status)}`]),
    ...(since === undefined
      ? []
      : [`toUnixTimestamp64Milli(toDateTime64(last_alert_time, 3)) >= ${Date.parse(since)}`]),
    ...(assignee === undefined ? [] : [`assignee = ${sqlString(assignee)}`]),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return `SELECT ${columnsOf(incidentRow)} FROM custody.incidents ${where}
ORDER BY status = 'resolved', custody.incidents.risk_score DESC, custody.incidents.last_alert_time DESC, incident_id LIMIT ${limit}`;
}

/** Incidents whose id begins so: at most two, for a person who types the first digits. */
export function incidentStatement(idBegin: string, tenant?: string): string {
  const ofTenant = tenant === undefined ? '' : ` AND tenant = ${sqlString(tenant)}`;
  return `SELECT ${columnsOf(incidentRow)} FROM custody.incidents WHERE startsWith(incident_id, ${sqlString(idBegin)})${ofTenant} ORDER BY incident_id LIMIT 2`;
}

export function incidentAlertsStatement({
  incident_id,
  tenant,
}: Pick<IncidentRow, 'incident_id' | 'tenant'>): string {
  return `SELECT ${columnsOf(incidentAlertRow)} FROM custody.alerts WHERE tenant = ${sqlString(tenant)} AND incident_id = ${sqlString(incident_id)} ORDER BY append_time, custody.alerts.seq LIMIT ${DETAIL_ROWS}`;
}

export function incidentChangesStatement({
  incident_id,
  tenant,
}: Pick<IncidentRow, 'incident_id' | 'tenant'>): string {
  return `SELECT ${columnsOf(incidentChangeRow)} FROM custody.incident_changes WHERE tenant = ${sqlString(tenant)} AND incident_id = ${sqlString(incident_id)} ORDER BY append_time, custody.incident_changes.seq LIMIT ${DETAIL_ROWS}`;
}

export function detectorKpisStatement(tenant?: string): string {
  const where = tenant === undefined ? '' : `WHERE tenant = ${sqlString(tenant)} `;
  return `SELECT ${columnsOf(detectorKpiRow)} FROM custody.detector_kpis ${where}ORDER BY tenant, detector_id`;
}

/** Rows of an answer in JSONEachRow. */
export function rowsOf<Row>(schema: z.ZodType<Row>, text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => schema.parse(JSON.parse(line)));
}
