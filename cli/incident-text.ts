import type { IncidentDetail } from '../pipeline/incident-lookup.ts';
import type {
  DetectorKpiRow,
  IncidentAlertRow,
  IncidentChangeRow,
  IncidentRow,
} from '../pipeline/incident-query.ts';
import { DETAIL_ROWS } from '../pipeline/incident-query.ts';
import { terminalText } from './terminal-text.ts';

const SHOWN = 5;
const listed = (names: readonly string[]) =>
  names.length <= SHOWN
    ? terminalText(names.join(', '))
    : `${terminalText(names.slice(0, SHOWN).join(', '))} and ${names.length - SHOWN} more`;
const shortTime = (time: string) => time.replace(/(\.\d+)?Z$/, 'Z');

/** One line for each incident, the most pressing first. */
export function describeIncidents(incidents: readonly IncidentRow[]): string {
  if (incidents.length === 0) return 'no incidents\n';
  const lines = incidents.map((row) =>
    [
      row.incident_id,
      row.status.padEnd(12),
      row.severity.padEnd(8),
      `risk ${row.risk_score}`.padEnd(8),
      `${row.alert_count} alerts`.padEnd(10),
      shortTime(row.last_alert_time),
      row.tenant,
      terminalText(row.assignee === '' ? '-' : row.assignee),
      terminalText(row.title),
    ].join('  '),
  );
  return `${lines.join('\n')}\n`;
}

/** The incident, what happened in it in the order of the log, and what can be done next. */
export function describeIncident(detail: IncidentDetail): string {
  const { incident } = detail;
  const about = [
    ['sessions', incident.sessions],
    ['actors', incident.actors],
    ['servers', incident.servers],
    ['related incidents', incident.related_incidents],
  ] as const;
  const timeline = [
    ...detail.alerts.map((row) => ({ time: row.append_time, text: alertText(row) })),
    ...detail.changes.map((row) => ({ time: row.append_time, text: changeText(row) })),
  ].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return [
    `incident ${incident.incident_id}`,
    terminalText(incident.title),
    `  ${incident.status}, severity ${incident.severity}, risk ${incident.risk_score} of 100, disposition ${incident.disposition}`,
    `  tenant ${incident.tenant}, assigned to ${terminalText(incident.assignee === '' ? 'nobody' : incident.assignee)}`,
    `  ${incident.alert_count} alerts by ${listed(incident.detectors)}; ${shortTime(incident.first_alert_time)} to ${shortTime(incident.last_alert_time)}`,
    ...about.filter(([, names]) => names.length > 0).map(([label, names]) => `  ${label}: ${listed(names)}`),
    ...duration('acknowledged after', incident.time_to_acknowledge_sec),
    ...duration('resolved after', incident.time_to_resolve_sec),
    '',
    'Timeline (append time; evidence: event ids)',
    ...timeline.map(({ time, text }) => `  ${shortTime(time)}  ${text}`),
    ...(detail.alerts.length < DETAIL_ROWS ? [] : [`  … the first ${DETAIL_ROWS} alerts are shown`]),
    '',
    'Next',
    ...nextSteps(detail).map((step) => `  ${step}`),
    '',
  ].join('\n');
}

function alertText(row: IncidentAlertRow): string {
  const where = [row.server_name, row.tool_name].filter((name) => name !== '').join('/');
  const indent = '\n      ';
  return [
    `${row.severity.toUpperCase().padEnd(8)} ${terminalText(row.title)}  [${terminalText(row.detector_id)}]`,
    terminalText(row.reason),
    ...(where === '' && row.destinations.length === 0
      ? []
      : [
          terminalText(
            `at ${where === '' ? '-' : where}${row.destinations.length === 0 ? '' : ` to ${row.destinations.slice(0, SHOWN).join(', ')}`}`,
          ),
        ]),
    `alert ${row.alert_id}, entry ${terminalText(row.log)} ${row.seq}`,
    `evidence ${listed(row.evidence)}`,
    ...(row.runbook === '' ? [] : [`runbook ${terminalText(row.runbook)}`]),
  ].join(indent);
}

function changeText(row: IncidentChangeRow): string {
  const said = [
    ...(row.status === '' ? [] : [`status ${row.status}`]),
    ...(row.has_assignee === 0 ? [] : [`assigned to ${row.assignee === '' ? 'nobody' : row.assignee}`]),
    ...(row.disposition === '' ? [] : [`disposition ${row.disposition}`]),
    ...(row.note === '' ? [] : [`note: ${row.note}`]),
  ].join(', ');
  return terminalText(`CHANGE   by ${row.changed_by}: ${said}`);
}

const duration = (label: string, seconds: number | null): string[] =>
  seconds === null ? [] : [`  ${label} ${Math.round(seconds)} s`];

/** What a person does next with an incident in its state. */
function nextSteps({ incident, alerts }: IncidentDetail): string[] {
  const id = incident.incident_id.slice(0, 8);
  const [session] = incident.sessions;
  const alert = alerts.at(-1)?.alert_id;
  return [
    ...(incident.assignee === '' ? [`custody incident assign ${id} <who>`] : []),
    ...(incident.status === 'open' ? [`custody incident status ${id} acknowledged`] : []),
    ...(session === undefined || !/^[\w.:@/-]{1,256}$/.test(session)
      ? []
      : [
          `custody query "SELECT event_time, tool_name, destinations FROM custody.tool_calls WHERE session_key = '${session}' ORDER BY event_time"`,
        ]),
    ...(alert === undefined ? [] : [`custody bundle create --case ${id} --alert ${alert} --out ${id}.zip`]),
    ...(incident.disposition === 'undetermined'
      ? [
          `custody incident disposition ${id} true_positive | false_positive | benign_true_positive   (a dismissal lets its sessions be learned from)`,
        ]
      : []),
    ...(incident.status === 'resolved'
      ? [`custody incident status ${id} in_progress   (opens it again)`]
      : [`custody incident status ${id} resolved`]),
  ];
}

/** One line for each detector. */
export function describeKpis(rows: readonly DetectorKpiRow[]): string {
  if (rows.length === 0) return 'no alerts\n';
  const head = ['detector', 'tenant', 'alerts', 'shadow', 'silenced', 'incidents', 'true', 'benign', 'false'];
  const times = ['false rate', 'detect s', 'acknowledge s', 'resolve s'];
  const cell = (value: number | null, digits: number) => (value === null ? '-' : value.toFixed(digits));
  const table = [
    [...head, ...times],
    ...rows.map((row) => [
      terminalText(row.detector_id),
      row.tenant,
      String(row.alerts),
      String(row.shadow_alerts),
      String(row.suppressed_alerts),
      String(row.incidents),
      String(row.true_positives),
      String(row.benign_true_positives),
      String(row.false_positives),
      cell(row.false_positive_rate, 3),
      cell(row.mean_time_to_detect_sec, 1),
      cell(row.mean_time_to_acknowledge_sec, 0),
      cell(row.mean_time_to_resolve_sec, 0),
    ]),
  ];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const lines = table.map((row) =>
    row
      .map((text, column) =>
        column < 2 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
