import { escaped, type Html } from '../../bundle/report/html.ts';
import { grouped } from '../../detectors/grouped.ts';
import type { SessionLabel } from '../evaluate/labels.ts';
import { areaUnderRoc, rocCurve } from '../evaluate/quality.ts';
import type { AlertLabels } from '../stored/alert-labels.ts';
import type { DayVolume, Outcome } from '../stored/outcome.ts';
import type { PlayedStore } from '../stored/play-store.ts';
import { SCORE_BUCKETS, scoreBucket } from '../stored/score-summary.ts';
import { barPlot, unitPlot } from './plots.ts';
import { reportPage, table } from './report-page.ts';

export interface BacktestFacts {
  readonly outcome: Outcome;
  readonly played: PlayedStore;
  readonly labels: AlertLabels;
}

const ALERTS_SHOWN = 300;
const DETECTORS_SHOWN = 6;
const BUCKET_NAMES = Array.from({ length: SCORE_BUCKETS }, (_, bucket) =>
  (bucket / SCORE_BUCKETS).toFixed(2),
);

/** `custody backtest --html`: what would have fired, next to what did, in one file. */
export function backtestReport({ outcome, played, labels }: BacktestFacts): string {
  const { quality, times } = outcome;
  return reportPage(
    'Backtest of detections',
    escaped`<p class="soft">From ${outcome.from} to ${outcome.to}, ${outcome.events} events with the warm-up;
        ${outcome.alerts} alerts, ${outcome.paging_alerts} of them page; ${outcome.added.length} are new,
        ${outcome.gone.length} that fired would not${unplayed(outcome)}.</p>
      ${
        quality === undefined
          ? undefined
          : table(
              ['right', 'wrong', 'without a label', 'precision', 'sessions found', 'of', 'recall'],
              [
                [
                  ...[quality.right, quality.wrong, quality.unknown, share(quality.precision)],
                  ...[quality.sessions_found, quality.sessions_wrong, share(quality.recall)],
                ],
              ],
            )
      }
      <h2>Plots</h2>
      <div class="plots">${volumePlot(outcome.days)}${scorePlots(played, labels)}</div>
      <h2>Alerts by detector</h2>
      ${volumeTable(outcome.days)}
      ${
        times.length === 0
          ? undefined
          : escaped`<h2>Time by detector and rule</h2>${table(
              ['detector, or rule (a part of rules)', 'milliseconds'],
              times.map(({ detector, ms }) => [detector, ms]),
            )}`
      }
      <h2>New alerts</h2>
      ${cut(outcome.added.length)}
      ${table(
        ['severity', 'detector', 'session', 'what'],
        outcome.added
          .slice(0, ALERTS_SHOWN)
          .map((alert) => [alert.severity, alert.detector.id, alert.session_key ?? '', alert.reason]),
      )}
      <h2>Alerts that fired and would not</h2>
      ${cut(outcome.gone.length)}
      ${table(
        ['severity', 'detector', 'session', 'what'],
        outcome.gone
          .slice(0, ALERTS_SHOWN)
          .map((alert) => [alert.severity, alert.detector_id, alert.session_key, alert.title]),
      )}`,
  );
}

function unplayed({ not_played: alerts }: Outcome): string {
  return alerts.length === 0 ? '' : `; ${alerts.length} fired on events that were not played`;
}

function volumePlot(days: readonly DayVolume[]): Html {
  const names = [...new Set(days.map(({ day }) => day))].sort();
  const byDetector = [...grouped(days, ({ detector }) => detector)]
    .map(([detector, volumes]) => ({
      detector,
      volumes,
      total: volumes.reduce((sum, { alerts }) => sum + alerts, 0),
    }))
    .sort((a, b) => b.total - a.total);
  const series = byDetector
    .slice(0, DETECTORS_SHOWN - 1)
    .map(({ detector, volumes }) => seriesOf(detector, volumes, names));
  const others = byDetector.slice(DETECTORS_SHOWN - 1).flatMap(({ volumes }) => volumes);
  if (others.length > 0) series.push(seriesOf('others', others, names));
  return barPlot('Alerts by day and detector', ['UTC day', 'alerts a day'], names, series, true);
}

function seriesOf(label: string, volumes: readonly DayVolume[], days: readonly string[]) {
  const alerts = new Map<string, number>();
  for (const { day, alerts: count } of volumes) alerts.set(day, (alerts.get(day) ?? 0) + count);
  return { label, values: days.map((day) => alerts.get(day) ?? 0) };
}

/** Distribution of scores; where sessions are labelled, by class, and the ROC. */
function scorePlots({ scores }: PlayedStore, { sessions }: AlertLabels): Html[] {
  const all = barPlot(
    'Scores of all calls',
    ['score', 'calls'],
    BUCKET_NAMES,
    [{ label: 'calls', values: scores.histogram }],
    true,
  );
  if (sessions.size === 0) return [all];
  const highest = (isWrong: boolean) =>
    [...sessions]
      .filter(([, wrong]) => wrong === isWrong)
      .map(([session]) => scores.sessions.get(session) ?? 0);
  const series = [false, true].map((isWrong) => {
    const values = new Array<number>(SCORE_BUCKETS).fill(0);
    for (const score of highest(isWrong)) values[scoreBucket(score)] = (values[scoreBucket(score)] ?? 0) + 1;
    return { label: isWrong ? 'something was wrong' : 'fine', values };
  });
  const labels = [...sessions].map(([session, isWrong]): SessionLabel => ({
    ...{ session, tenant: '', task: undefined, goal: undefined, attackSeqs: [] },
    label: isWrong ? 'attack_succeeded' : 'benign',
  }));
  const lines = [...scores.sessions].map(([session, score]) => ({ session, score, seq: null, fired: false }));
  const auc = areaUnderRoc(highest(true), highest(false));
  const title = `ROC of labelled sessions${Number.isFinite(auc) ? `, AUC ${auc.toFixed(3)}` : ''}`;
  return [
    all,
    barPlot('Highest score of labelled sessions', ['score', 'sessions'], BUCKET_NAMES, series, true),
    unitPlot(
      title,
      ['fine sessions that alarm', 'others found'],
      [{ label: 'sessions', points: rocCurve(labels, lines) }],
      true,
    ),
  ];
}

function volumeTable(days: readonly DayVolume[]): Html {
  const sum = (volumes: readonly DayVolume[], of: (volume: DayVolume) => number) =>
    volumes.reduce((total, volume) => total + of(volume), 0);
  return table(
    ['detector', 'alerts', 'that page', 'days'],
    [...grouped(days, ({ detector }) => detector)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([detector, volumes]) => [
        detector,
        sum(volumes, ({ alerts }) => alerts),
        sum(volumes, ({ paging_alerts: paging }) => paging),
        volumes.length,
      ]),
  );
}

function cut(count: number): Html | undefined {
  return count > ALERTS_SHOWN
    ? escaped`<p class="soft">The first ${ALERTS_SHOWN} of ${count}.</p>`
    : undefined;
}

const share = (value: number | undefined): string => (value === undefined ? 'unknown' : value.toFixed(3));
