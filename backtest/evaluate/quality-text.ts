import type { Fold } from './folds.ts';
import { spreadOf } from './folds.ts';
import type { Interval } from './bootstrap.ts';
import type { FiredQuality, IncidentQuality, OperatingPoint, Quality } from './quality.ts';

/** Figures that are given with an interval and by fold. */
export const FIGURES: readonly (readonly [name: string, of: (quality: Quality) => number])[] = [
  ['AUC', ({ auc }) => auc],
  ['recall at 0.5 % FPR', recallAt(0.005)],
  ['recall at 1 % FPR', recallAt(0.01)],
  ['recall at 2 % FPR', recallAt(0.02)],
  ['recall at 5 % FPR', recallAt(0.05)],
  ['fired recall', ({ fired }) => fired.recall],
  ['fired FPR', ({ fired }) => fired.fpr],
];

function recallAt(fpr: number): (quality: Quality) => number {
  return ({ at }) => at.find(({ fprMax }) => fprMax === fpr)?.recall ?? Number.NaN;
}

/** The quality table for a terminal. */
export function qualityText(quality: Quality, intervals: readonly Interval[]): string {
  const { sessions, at, fired } = quality;
  const bounds = FIGURES.map(([name, of], index) => {
    const interval = intervals[index];
    const range = interval === undefined ? '' : `   [${figure(interval.low)}, ${figure(interval.high)}]`;
    return `  ${name.padEnd(22)}${figure(of(quality))}${range}\n`;
  });
  return [
    `sessions: ${sessions.benign} benign, ${sessions.attack_succeeded} attacked, ${sessions.attack_resisted} resisted\n`,
    intervals.length === 0 ? '' : 'figures, with the interval of nine in ten draws of tasks:\n',
    ...bounds,
    'at a threshold on scores:\n',
    ...at.map(pointText),
    `alerts that page: recall ${figure(fired.recall)}, benign sessions ${percent(fired.fpr)}, resisted ${percent(fired.resisted)}, ${inTime(fired)}\n`,
    `  by goal: ${goals(fired.recallByGoal)}\n`,
  ].join('');
}

function pointText(point: OperatingPoint): string {
  return (
    `  FPR <= ${percent(point.fprMax)}: recall ${figure(point.recall)}, resisted ${percent(point.resisted)}, ${inTime(point)}, threshold ${point.threshold.toPrecision(4)}\n` +
    `    by goal: ${goals(point.recallByGoal)}\n`
  );
}

function inTime({ found, foundInTime }: Pick<FiredQuality, 'found' | 'foundInTime'>): string {
  return `at or before the first attack call ${foundInTime}/${found}`;
}

export function incidentsText(incidents: readonly IncidentQuality[]): string {
  return incidents
    .map(
      ({ incident, shouldAlert, sessions, alerted }) =>
        `  ${shouldAlert ? 'ALERT' : 'quiet'}  ${incident.padEnd(36)} alerted ${alerted}/${sessions}\n`,
    )
    .join('');
}

/** One line for each fold, then mean and standard deviation. */
export function foldsText(folds: readonly Fold[]): string {
  const rows = folds.map(({ name, quality, warmupSessions, labels }) => [
    name,
    `${warmupSessions}/${labels.length}`,
    ...FIGURES.map(([, of]) => figure(of(quality))),
  ]);
  const spread = FIGURES.map(([, of]) => spreadOf(folds.map(({ quality }) => of(quality))));
  const table = [
    ['fold', 'warm-up/tested', ...FIGURES.map(([name]) => name.replace(/^recall at (.+) FPR$/, 'R@$1'))],
    ...rows,
    ['mean', '', ...spread.map(({ mean }) => figure(mean))],
    ['deviation', '', ...spread.map(({ deviation }) => figure(deviation))],
  ];
  return aligned(table);
}

/** Rows with columns as wide as their widest cell. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map(
      (row) =>
        `  ${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Three digits; a dash where there is none. */
export const figure = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : '-');
const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`;
const goals = (recalls: Readonly<Record<string, number>>): string =>
  Object.entries(recalls)
    .map(([goal, recall]) => `${goal} ${recall.toFixed(2)}`)
    .join(', ');
