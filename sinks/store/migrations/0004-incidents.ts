import { onCluster, type Migration, type SchemaVariant } from './migration.ts';

/**
 * Incidents for analysts, in SQL: what alerts and changes of incidents in the ledger say. A convenience and no evidence, as
 * the derived columns are; each row can be traced to its entries.
 */

const alerts = (variant: SchemaVariant) => `CREATE OR REPLACE VIEW custody.alerts${onCluster(variant)} AS
SELECT
  fromUnixTimestamp64Milli(kts_ms, 'UTC') AS append_time,
  event_time, tenant, alert_id, detector_id, severity, score, title,
  JSONExtractString(body, 'reason') AS reason,
  JSONExtractString(body, 'observed') AS observed,
  JSONExtractString(body, 'normal') AS normal,
  JSONExtractString(body, 'distance') AS distance,
  JSONExtractString(body, 'dedup_key') AS dedup_key,
  JSONExtract(body, 'evidence', 'Array(String)') AS evidence,
  JSONExtract(body, 'references', 'owasp', 'Array(String)') AS owasp,
  JSONExtract(body, 'references', 'atlas', 'Array(String)') AS atlas,
  JSONExtract(body, 'references', 'attack', 'Array(String)') AS attack,
  session_key, trace_id, actor_id, user_id, server_name, tool_name, policy_decision, destinations,
  log, seq, lower(hex(leaf)) AS leaf_hash,
  JSONExtractString(body, 'incident_id') AS incident_id,
  JSONExtract(body, 'related_incidents', 'Array(String)') AS related_incidents,
  JSONExtractFloat(body, 'risk_score') AS risk_score,
  JSONExtractString(body, 'mode') AS mode,
  JSONExtractString(body, 'suppressed_by') AS suppressed_by,
  JSONExtractString(body, 'runbook') AS runbook
FROM custody.entries
WHERE kind = 'event' AND alert_id != ''
COMMENT 'One row per alert; evidence holds event_id values'`;

/** Changes come in the log's order: append time, then place in the tenant's log. */
const changes = (
  variant: SchemaVariant,
) => `CREATE OR REPLACE VIEW custody.incident_changes${onCluster(variant)} AS
SELECT append_time, tenant, change.1 AS incident_id, change.2 AS status, change.3 AS assignee,
  has_assignee, change.4 AS disposition, change.5 AS note, change.6 AS changed_by, event_id, log, seq, leaf_hash
FROM
(
  SELECT
    fromUnixTimestamp64Milli(kts_ms, 'UTC') AS append_time, tenant, event_id, log, seq, lower(hex(leaf)) AS leaf_hash,
    JSONExtract(body, 'incident', 'Tuple(incident_id String, status String, assignee String, disposition String, note String, changed_by String)') AS change,
    JSONHas(body, 'incident', 'assignee') AS has_assignee
  FROM custody.entries
  WHERE kind = 'event' AND topic = 'custody.events' AND event_kind = 'incident'
)
COMMENT 'One row per change of an incident; empty = this change said nothing of it (has_assignee: it did, of the assignee)'`;

/** Of two alerts, or changes, that tell the same, one counts: a copy of an entry is none of its own. */
const incidents = (
  variant: SchemaVariant,
) => `CREATE OR REPLACE VIEW custody.incidents${onCluster(variant)} AS
SELECT
  alerted.tenant AS tenant,
  alerted.incident_id AS incident_id,
  if(changed.status = '', 'open', changed.status) AS status,
  changed.assignee AS assignee,
  if(changed.disposition = '', 'undetermined', changed.disposition) AS disposition,
  arrayElement(['info', 'low', 'medium', 'high', 'critical'], worst + 1) AS severity,
  alerted.risk_score AS risk_score,
  alerted.title AS title,
  alerted.opened_time AS opened_time,
  alerted.first_alert_time AS first_alert_time,
  alerted.last_alert_time AS last_alert_time,
  alerted.alert_count AS alert_count,
  alerted.detectors AS detectors,
  alerted.sessions AS sessions,
  alerted.actors AS actors,
  alerted.servers AS servers,
  alerted.related_incidents AS related_incidents,
  changed.change_count AS change_count,
  changed.changed_by AS changed_by,
  changed.changed_time AS changed_time,
  changed.acknowledged_time AS acknowledged_time,
  changed.resolved_time AS resolved_time,
  if(acknowledged_time IS NULL, NULL, dateDiff('millisecond', opened_time, assumeNotNull(acknowledged_time)) / 1000) AS time_to_acknowledge_sec,
  if(resolved_time IS NULL, NULL, dateDiff('millisecond', opened_time, assumeNotNull(resolved_time)) / 1000) AS time_to_resolve_sec
FROM
(
  SELECT tenant, incident_id,
    max(level) AS worst,
    max(risk) AS risk_score,
    argMax(title, (level, -kts_ms)) AS title,
    fromUnixTimestamp64Milli(min(kts_ms), 'UTC') AS opened_time,
    min(event_time) AS first_alert_time,
    max(event_time) AS last_alert_time,
    uniqExact(alert_id) AS alert_count,
    arraySort(groupUniqArray(100)(toString(detector_id))) AS detectors,
    arraySort(groupUniqArrayIf(100)(session_key, session_key != '')) AS sessions,
    arraySort(groupUniqArrayIf(100)(toString(actor_id), actor_id != '')) AS actors,
    arraySort(groupUniqArrayIf(100)(toString(server_name), server_name != '')) AS servers,
    arraySort(arrayFilter(id -> id != incident_id, groupUniqArrayArray(100)(related))) AS related_incidents
  FROM
  (
    SELECT tenant, kts_ms, event_time, alert_id, detector_id, session_key, actor_id, server_name, title,
      indexOf(['low', 'medium', 'high', 'critical'], toString(severity)) AS level,
      JSONExtract(body, 'Tuple(incident_id String, risk_score Float64, related_incidents Array(String))') AS parsed,
      parsed.1 AS incident_id, parsed.2 AS risk, parsed.3 AS related
    FROM custody.entries
    WHERE kind = 'event' AND topic = 'custody.alerts' AND alert_id != ''
  )
  WHERE incident_id != ''
  GROUP BY tenant, incident_id
) AS alerted
LEFT JOIN
(
  SELECT tenant, incident_id,
    argMaxIf(told_status, (told_time, seq), told_status != '') AS status,
    argMaxIf(told_assignee, (told_time, seq), has_assignee) AS assignee,
    argMaxIf(told_disposition, (told_time, seq), told_disposition != '') AS disposition,
    uniqExact(event_id) AS change_count,
    argMax(told_by, (told_time, seq)) AS changed_by,
    maxOrNull(told_time) AS changed_time,
    minOrNullIf(told_time, told_status IN ('acknowledged', 'in_progress', 'resolved')) AS acknowledged_time,
    if(status = 'resolved', maxOrNullIf(told_time, told_status = 'resolved'), NULL) AS resolved_time
  FROM
  (
    SELECT tenant, incident_id, append_time AS told_time, seq, status AS told_status, assignee AS told_assignee,
      has_assignee, disposition AS told_disposition, changed_by AS told_by, event_id
    FROM custody.incident_changes
  )
  GROUP BY tenant, incident_id
) AS changed ON alerted.tenant = changed.tenant AND alerted.incident_id = changed.incident_id
COMMENT 'One row per incident: its alerts, and where work on it stands'`;

const detectorKpis = (
  variant: SchemaVariant,
) => `CREATE OR REPLACE VIEW custody.detector_kpis${onCluster(variant)} AS
SELECT
  spoken.tenant AS tenant,
  spoken.detector_id AS detector_id,
  sum(spoken.alert_count) AS alerts,
  sum(spoken.shadow_count) AS shadow_alerts,
  sum(spoken.suppressed_count) AS suppressed_alerts,
  countIf(spoken.incident_id != '') AS incidents,
  countIf(worked.disposition = 'true_positive') AS true_positives,
  countIf(worked.disposition = 'benign_true_positive') AS benign_true_positives,
  countIf(worked.disposition = 'false_positive') AS false_positives,
  if(true_positives + benign_true_positives + false_positives = 0, NULL,
    false_positives / (true_positives + benign_true_positives + false_positives)) AS false_positive_rate,
  if(alerts = 0, NULL, sum(spoken.detect_ms) / alerts / 1000) AS mean_time_to_detect_sec,
  avgOrNull(worked.time_to_acknowledge_sec) AS mean_time_to_acknowledge_sec,
  avgOrNull(worked.time_to_resolve_sec) AS mean_time_to_resolve_sec
FROM
(
  SELECT tenant, detector_id, incident_id,
    countIf(mode = '') AS alert_count,
    countIf(mode = 'shadow') AS shadow_count,
    countIf(mode = 'suppressed') AS suppressed_count,
    sumIf(greatest(0, kts_ms - toUnixTimestamp64Milli(event_time)), mode = '') AS detect_ms
  FROM
  (
    SELECT tenant, toString(detector_id) AS detector_id, kts_ms, toDateTime64(event_time, 3, 'UTC') AS event_time,
      JSONExtract(body, 'Tuple(incident_id String, mode String)') AS parsed, parsed.1 AS incident_id, parsed.2 AS mode
    FROM custody.entries
    WHERE kind = 'event' AND topic = 'custody.alerts' AND alert_id != ''
  )
  GROUP BY tenant, detector_id, incident_id
) AS spoken
LEFT JOIN custody.incidents AS worked
  ON spoken.tenant = worked.tenant AND spoken.incident_id = worked.incident_id
GROUP BY tenant, detector_id
COMMENT 'How well each detector works: alerts, what people said of their incidents, and how long things took'`;

export const incidentsMigration: Migration = {
  version: 4,
  name: '0004-incidents',
  statements: (variant) => [alerts(variant), changes(variant), incidents(variant), detectorKpis(variant)],
};
