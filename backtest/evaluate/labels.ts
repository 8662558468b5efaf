import { InputError } from '../../runtime/errors.ts';
import { recordingLines } from '../recording/lines.ts';
import type { Labelled } from './label-match.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';

/** What is known of a recorded session. */
export interface SessionLabel extends Labelled {
  /** `attack_resisted`: the agent read what an attacker wrote and did not follow it. */
  readonly label: 'benign' | 'attack_succeeded' | 'attack_resisted';
  /** What the user asked for. */
  readonly task: string | undefined;
  /** What the attacker wanted: `domain/kind`. */
  readonly goal: string | undefined;
  /** Calls that served the attacker. */
  readonly attackSeqs: readonly number[];
}

/** A planted incident, or what looks like one and is none. */
export interface IncidentLabel extends Labelled {
  readonly incident: string;
  readonly shouldAlert: boolean;
}

export type Labels =
  | { readonly kind: 'sessions'; readonly labels: readonly SessionLabel[] }
  | { readonly kind: 'incidents'; readonly labels: readonly IncidentLabel[] };

/** Words by which label files call the classes. */
const CLASSES: Readonly<Record<string, SessionLabel['label']>> = {
  benign: 'benign',
  false_positive: 'benign',
  benign_true_positive: 'benign',
  attack_succeeded: 'attack_succeeded',
  attack: 'attack_succeeded',
  malicious: 'attack_succeeded',
  true_positive: 'attack_succeeded',
  attack_resisted: 'attack_resisted',
};

/**
 * Reads a label file: one JSON object a line, of sessions (`label`) or of planted incidents (`incident`, `should_alert`).
 * @throws InputError with the line that is none.
 */
export async function readLabels(file: string): Promise<Labels> {
  const sessions: SessionLabel[] = [];
  const incidents: IncidentLabel[] = [];
  for await (const { number, bytes } of recordingLines(file)) {
    const record = parsed(bytes);
    const session = record?.['session'];
    if (record === undefined || typeof session !== 'string')
      throw new InputError('input_invalid', `cannot read labels ${file}: line ${number} names no session`);
    if ('incident' in record)
      incidents.push({
        session,
        tenant: tenantOf(record),
        incident: String(record['incident']),
        shouldAlert: record['should_alert'] === true || record['should_alert'] === 1,
      });
    else
      sessions.push(
        sessionLabel(
          record,
          session,
          () =>
            new InputError(
              'input_invalid',
              `cannot read labels ${file}: line ${number} has no label that is known`,
            ),
        ),
      );
  }
  if (incidents.length > 0 && sessions.length > 0)
    throw new InputError('input_invalid', `cannot read labels ${file}: it mixes sessions and incidents`);
  return incidents.length > 0
    ? { kind: 'incidents', labels: incidents }
    : { kind: 'sessions', labels: sessions };
}

function sessionLabel(record: JsonObject, session: string, unknown: () => InputError): SessionLabel {
  const word = record['label'];
  const label = typeof word === 'string' && Object.hasOwn(CLASSES, word) ? CLASSES[word] : undefined;
  if (label === undefined) throw unknown();
  const { user_task: task, goal, attack_call_seqs: seqs } = record;
  return {
    session,
    label,
    tenant: tenantOf(record),
    task: typeof task === 'string' ? task : undefined,
    goal: typeof goal === 'string' && goal !== '' ? goal : undefined,
    attackSeqs: Array.isArray(seqs) ? seqs.filter((seq) => typeof seq === 'number') : [],
  };
}

const tenantOf = ({ tenant }: JsonObject): string => (typeof tenant === 'string' ? tenant : '');

function parsed(bytes: Buffer): JsonObject | undefined {
  try {
    const value = JSON.parse(bytes.toString()) as unknown;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
