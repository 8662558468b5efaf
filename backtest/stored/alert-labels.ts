import { InputError } from '../../runtime/errors.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { Disposition } from '../../schemas/incident.ts';
import { isObject } from '../../schemas/json-object.ts';
import { isPaging } from '../evaluate/play-recording.ts';
import { recordingLines } from '../recording/lines.ts';

/** What is known of alerts and sessions: whether something was wrong. */
export interface AlertLabels {
  readonly alerts: ReadonlyMap<string, boolean>;
  readonly sessions: ReadonlyMap<string, boolean>;
}

const WRONG = new Set('attack attack_succeeded malicious true_positive tp bad true 1'.split(' '));
const FINE = new Set('benign attack_resisted false_positive benign_true_positive fp good false 0'.split(' '));

/**
 * Reads labels: one JSON object a line with `alert_id` or `session`, and `label` (or `should_alert`).
 * @throws InputError with the line that is none.
 */
export async function readAlertLabels(file: string): Promise<AlertLabels> {
  const alerts = new Map<string, boolean>();
  const sessions = new Map<string, boolean>();
  for await (const { number, bytes } of recordingLines(file)) {
    const record = parsed(bytes);
    const isWrong = isObject(record) ? verdictOf(record['label'] ?? record['should_alert']) : undefined;
    const alert = isObject(record) ? record['alert_id'] : undefined;
    const session = isObject(record) ? (record['session'] ?? record['session_key']) : undefined;
    if (isWrong === undefined || (typeof alert !== 'string' && typeof session !== 'string'))
      throw new InputError(
        'input_invalid',
        `cannot read labels ${file}: line ${number} needs alert_id or session, and a label`,
      );
    if (typeof alert === 'string') alerts.set(alert, isWrong);
    else if (typeof session === 'string') sessions.set(session, isWrong);
  }
  return { alerts, sessions };
}

function verdictOf(label: unknown): boolean | undefined {
  const word = String(label).toLowerCase();
  return WRONG.has(word) ? true : FINE.has(word) ? false : undefined;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** Labels of what was played; the others say nothing about the detectors and are only counted. */
export function labelsMet(
  { alerts, sessions }: AlertLabels,
  played: { readonly alerts: readonly Alert[]; readonly sessions: ReadonlySet<string> },
): { readonly labels: AlertLabels; readonly sessionsMissed: number; readonly alertsMissed: number } {
  const raised = new Set(played.alerts.map(({ alert_id: id }) => id));
  const labels: AlertLabels = {
    alerts: new Map([...alerts].filter(([id]) => raised.has(id))),
    sessions: new Map([...sessions].filter(([session]) => played.sessions.has(session))),
  };
  return {
    labels,
    sessionsMissed: sessions.size - labels.sessions.size,
    alertsMissed: alerts.size - labels.alerts.size,
  };
}

/** How often alerts that page are right, where anything is known of them. */
export interface AlertQuality {
  readonly right: number;
  readonly wrong: number;
  readonly unknown: number;
  readonly precision: number | undefined;
  /** Sessions in which something was wrong, by label; others than those that were played are not counted (`labelsMet`). */
  readonly sessions_wrong: number;
  readonly sessions_found: number;
  readonly recall: number | undefined;
  readonly sessions_fine: number;
  readonly sessions_fine_alerted: number;
}

export function alertQuality(
  alerts: readonly Alert[],
  labels: AlertLabels,
  dispositions: ReadonlyMap<string, Disposition>,
): AlertQuality {
  const paging = alerts.filter(isPaging);
  const alerted = new Set(paging.map(({ session_key: session }) => session));
  const counts = { right: 0, wrong: 0, unknown: 0 };
  for (const alert of paging) {
    const isRight = labelOf(alert, labels, dispositions);
    counts[isRight === undefined ? 'unknown' : isRight ? 'right' : 'wrong'] += 1;
  }
  const of = (isWrong: boolean) =>
    [...labels.sessions].filter(([, verdict]) => verdict === isWrong).map(([session]) => session);
  const [bad, fine] = [of(true), of(false)];
  const found = bad.filter((session) => alerted.has(session)).length;
  const judged = counts.right + counts.wrong;
  return {
    ...counts,
    precision: judged === 0 ? undefined : counts.right / judged,
    sessions_wrong: bad.length,
    sessions_found: found,
    recall: bad.length === 0 ? undefined : found / bad.length,
    sessions_fine: fine.length,
    sessions_fine_alerted: fine.filter((session) => alerted.has(session)).length,
  };
}

/** Its own label, else its session's, else what became of its incident. */
function labelOf(
  { alert_id: id, session_key: session, incident_id: incident }: Alert,
  { alerts, sessions }: AlertLabels,
  dispositions: ReadonlyMap<string, Disposition>,
): boolean | undefined {
  const stated = alerts.get(id) ?? sessions.get(session ?? '');
  if (stated !== undefined) return stated;
  const disposition = dispositions.get(incident ?? '');
  if (disposition === undefined || disposition === 'undetermined') return undefined;
  return disposition === 'true_positive';
}
