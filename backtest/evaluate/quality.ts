import { grouped } from '../../detectors/grouped.ts';
import { byLabel } from './label-match.ts';
import type { IncidentLabel, SessionLabel } from './labels.ts';
import type { Scored } from './play-recording.ts';

/** How well sessions are told apart; definitions in docs/operations/evaluation.md. */
export interface Quality {
  readonly sessions: Readonly<Record<SessionLabel['label'], number>>;
  /** Area under the ROC curve, of sessions by their highest score; ties count half. */
  readonly auc: number;
  readonly at: readonly OperatingPoint[];
  readonly fired: FiredQuality;
}

/** What an alarm on every score above a threshold would give. */
export interface OperatingPoint {
  /** Share of benign sessions that may alarm. */
  readonly fprMax: number;
  readonly threshold: number;
  readonly recall: number;
  readonly recallByGoal: Readonly<Record<string, number>>;
  /** Share of attacks that were resisted and alarm all the same. */
  readonly resisted: number;
  /** Of the attacks found. */
  readonly found: number;
  readonly foundInTime: number;
}

/** What the alerts that page give. */
export interface FiredQuality {
  readonly recall: number;
  readonly fpr: number;
  readonly resisted: number;
  readonly recallByGoal: Readonly<Record<string, number>>;
  /** Attack sessions with such an alert, and those where it came at or before the first call that served the attacker. */
  readonly found: number;
  readonly foundInTime: number;
}

export const FPRS = [0.005, 0.01, 0.02, 0.05] as const;

type Line = Pick<Scored, 'session' | 'seq' | 'score' | 'fired'> & Partial<Pick<Scored, 'tenant'>>;

/** Judges scorer lines by labels; a session without a line has score 0. Empty classes give NaN. */
export function qualityOf(labels: readonly SessionLabel[], lines: readonly Line[]): Quality {
  const linesOf = byLabel(lines);
  const scoreOf = new Map(labels.map((label) => [label, highestScore(linesOf(label))]));
  const of = (label: SessionLabel['label']) => labels.filter((each) => each.label === label);
  const [benign, attacks, resisted] = [of('benign'), of('attack_succeeded'), of('attack_resisted')];
  const score = (label: SessionLabel) => scoreOf.get(label) ?? 0;
  const falling = benign.map(score).sort((a, b) => b - a);

  function operatingPoint(fprMax: number): OperatingPoint {
    const threshold = falling[Math.floor(fprMax * falling.length)] ?? Number.NaN;
    const isFound = (label: SessionLabel) => score(label) > threshold;
    const found = attacks.filter(isFound);
    const inTime = found.filter((label) =>
      isInTime(
        label,
        linesOf(label).filter((line) => line.score > threshold),
      ),
    );
    return {
      fprMax,
      threshold,
      recall: share(found.length, attacks.length),
      recallByGoal: byGoal(attacks, isFound),
      resisted: share(resisted.filter(isFound).length, Math.max(1, resisted.length)),
      found: found.length,
      foundInTime: inTime.length,
    };
  }

  const fired = (label: SessionLabel) => linesOf(label).some((line) => line.fired);
  const firedAttacks = attacks.filter(fired);
  return {
    sessions: { benign: benign.length, attack_succeeded: attacks.length, attack_resisted: resisted.length },
    auc: areaUnderRoc(attacks.map(score), benign.map(score)),
    at: FPRS.map(operatingPoint),
    fired: {
      recall: share(firedAttacks.length, attacks.length),
      fpr: share(benign.filter(fired).length, benign.length),
      resisted: share(resisted.filter(fired).length, Math.max(1, resisted.length)),
      recallByGoal: byGoal(attacks, fired),
      found: firedAttacks.length,
      foundInTime: firedAttacks.filter((label) =>
        isInTime(
          label,
          linesOf(label).filter((line) => line.fired),
        ),
      ).length,
    },
  };
}

/** Of a session without a line: 0. */
export function highestScore(lines: readonly Pick<Scored, 'score'>[]): number {
  return lines.reduce((max, { score }) => Math.max(max, score), 0);
}

/** A line is at or before the first call that served the attacker; where no such call is known, any line will do. */
function isInTime({ attackSeqs }: SessionLabel, lines: readonly Line[]): boolean {
  const seqs = lines.flatMap(({ seq }) => (seq === null ? [] : [seq]));
  if (seqs.length === 0) return false;
  return attackSeqs.length === 0 || Math.min(...seqs) <= Math.min(...attackSeqs);
}

function byGoal(
  attacks: readonly SessionLabel[],
  isFound: (label: SessionLabel) => boolean,
): Record<string, number> {
  const goals = grouped(attacks, ({ goal }) => goal ?? '/');
  return Object.fromEntries(
    [...goals]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([goal, those]) => [goal, share(those.filter(isFound).length, those.length)]),
  );
}

/** By ranks (Mann–Whitney); equal scores share their mean rank. */
export function areaUnderRoc(positive: readonly number[], negative: readonly number[]): number {
  const all = [
    ...positive.map((score) => ({ score, is: 1 })),
    ...negative.map((score) => ({ score, is: 0 })),
  ];
  all.sort((a, b) => a.score - b.score);
  let ranks = 0;
  for (let from = 0; from < all.length;) {
    let to = from;
    while (to < all.length && all[to]?.score === all[from]?.score) to += 1;
    for (let index = from; index < to; index += 1) ranks += ((all[index]?.is ?? 0) * (from + 1 + to)) / 2;
    from = to;
  }
  return (ranks - (positive.length * (positive.length + 1)) / 2) / (positive.length * negative.length);
}

/** Points of the ROC curve, from no alarm to all. */
export function rocCurve(
  labels: readonly SessionLabel[],
  lines: readonly Line[],
): (readonly [fpr: number, tpr: number])[] {
  const linesOf = byLabel(lines);
  const scored = labels
    .filter(({ label }) => label !== 'attack_resisted')
    .map((label) => ({
      score: highestScore(linesOf(label)),
      isAttack: label.label === 'attack_succeeded',
    }))
    .sort((a, b) => b.score - a.score);
  const attacks = scored.filter(({ isAttack }) => isAttack).length;
  const points: (readonly [number, number])[] = [[0, 0]];
  let [found, alarms] = [0, 0];
  for (const [index, { score, isAttack }] of scored.entries()) {
    if (isAttack) found += 1;
    else alarms += 1;
    if (scored[index + 1]?.score !== score)
      points.push([share(alarms, scored.length - attacks), share(found, attacks)]);
  }
  return points;
}

/** For each kind of planted incident: how many sessions of it fired. */
export interface IncidentQuality {
  readonly incident: string;
  readonly shouldAlert: boolean;
  readonly sessions: number;
  readonly alerted: number;
}

export function incidentQuality(labels: readonly IncidentLabel[], lines: readonly Line[]): IncidentQuality[] {
  const firedOf = byLabel(lines.filter((line) => line.fired));
  const kinds = grouped(labels, ({ shouldAlert, incident }) => `${shouldAlert ? '0' : '1'}${incident}`);
  return [...kinds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, those]) => ({
      incident: those[0]?.incident ?? '',
      shouldAlert: those[0]?.shouldAlert ?? false,
      sessions: those.length,
      alerted: those.filter((label) => firedOf(label).length > 0).length,
    }));
}

const share = (part: number, whole: number): number => part / whole;
