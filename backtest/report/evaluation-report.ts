import { escaped, type Html } from '../../bundle/report/html.ts';
import { grouped } from '../../detectors/grouped.ts';
import { byLabel } from '../evaluate/label-match.ts';
import type { Labels, SessionLabel } from '../evaluate/labels.ts';
import { isPaging, type Played } from '../evaluate/play-recording.ts';
import { highestScore, incidentQuality, rocCurve, type Quality } from '../evaluate/quality.ts';
import type { Volumes } from '../evaluate/volumes.ts';
import { SCORE_BUCKETS, scoreBucket } from '../stored/score-summary.ts';
import { barPlot, unitPlot } from './plots.ts';
import { reportPage, table } from './report-page.ts';
import { figure } from '../evaluate/quality-text.ts';

export interface EvaluationFacts {
  readonly played: Played;
  readonly labels: Labels | undefined;
  readonly volumes: Volumes;
  readonly quality: Quality | undefined;
}

const ALERTS_SHOWN = 500;
const BUCKET_NAMES = Array.from({ length: SCORE_BUCKETS }, (_, bucket) =>
  (bucket / SCORE_BUCKETS).toFixed(2),
);

/** `custody eval --html`: quality, plots and the alerts that paged, in one file. */
export function evaluationReport(facts: EvaluationFacts): string {
  const { volumes, quality, labels, played } = facts;
  return reportPage(
    'Evaluation of detections',
    escaped`<p class="soft">${volumes.sessions} sessions, ${volumes.events} events after a warm-up of
        ${volumes.warmup_sessions} sessions; ${volumes.alerts} alerts, ${volumes.paging_alerts} of them page.</p>
      ${quality === undefined ? undefined : qualitySection(quality)}
      ${labels?.kind === 'incidents' ? incidentSection(facts, labels) : undefined}
      <h2>Plots</h2>
      <div class="plots">${plots(facts)}</div>
      <h2>Alerts by detector</h2>
      ${table(
        ['detector', 'alerts', 'sessions', 'sessions paged', 'benign sessions paged'],
        volumes.detectors.map((each) => [
          each.detector,
          each.alerts,
          each.sessions_alerted,
          each.sessions_paged,
          each.benign_sessions_paged ?? '-',
        ]),
      )}
      ${alertSection(played)}`,
  );
}

function qualitySection({ sessions, auc, at, fired }: Quality): Html {
  return escaped`<h2>Quality</h2>
    <p>${sessions.benign} benign, ${sessions.attack_succeeded} attacked and ${sessions.attack_resisted} resisted sessions.
      AUC ${figure(auc)}.</p>
    ${table(
      ['benign sessions that may alarm', 'recall', 'resisted', 'in time', 'found', 'threshold'],
      at.map((point) => [
        `${point.fprMax * 100} %`,
        figure(point.recall),
        figure(point.resisted),
        point.foundInTime,
        point.found,
        point.threshold.toPrecision(4),
      ]),
    )}
    <p>Alerts that page: recall ${figure(fired.recall)}, benign sessions ${figure(fired.fpr)}, resisted
      ${figure(fired.resisted)}, in time ${fired.foundInTime} of ${fired.found}.</p>
    ${table(
      ['goal of the attacker', 'recall of alerts that page'],
      Object.entries(fired.recallByGoal).map(([goal, recall]) => [goal, figure(recall)]),
    )}`;
}

function incidentSection(
  { played }: EvaluationFacts,
  { labels }: Extract<Labels, { kind: 'incidents' }>,
): Html {
  return escaped`<h2>Planted incidents</h2>
    ${table(
      ['incident', 'should alert', 'alerted', 'sessions'],
      incidentQuality(labels, played.scored).map((each) => [
        each.incident,
        each.shouldAlert ? 'yes' : 'no',
        each.alerted,
        each.sessions,
      ]),
    )}`;
}

function plots({ played, labels, volumes }: EvaluationFacts): Html[] {
  const sessions = labels?.kind === 'sessions' ? labels.labels : undefined;
  return [
    ...(sessions === undefined
      ? []
      : [
          unitPlot(
            'ROC: sessions by their highest score',
            ['benign sessions that alarm', 'attacks found'],
            [{ label: 'all detectors', points: rocCurve(sessions, played.scored) }],
            true,
          ),
          scorePlot(played, sessions),
        ]),
    alertsOverTime(played),
    barPlot(
      'Sessions paged by detector',
      ['', 'sessions'],
      volumes.detectors.map(({ detector }) => detector.slice(0, 18)),
      [{ label: 'sessions paged', values: volumes.detectors.map((each) => each.sessions_paged) }],
      true,
    ),
  ];
}

/** Highest scores of sessions, by class. */
function scorePlot({ scored }: Played, labels: readonly SessionLabel[]): Html {
  const linesOf = byLabel(scored);
  const series = (['benign', 'attack_succeeded', 'attack_resisted'] as const).map((label) => {
    const values = new Array<number>(SCORE_BUCKETS).fill(0);
    for (const each of labels.filter((known) => known.label === label)) {
      const bucket = scoreBucket(highestScore(linesOf(each)));
      values[bucket] = (values[bucket] ?? 0) + 1;
    }
    return { label: label.replace('_', ' '), values };
  });
  return barPlot('Highest score of each session', ['score', 'sessions'], BUCKET_NAMES, series, true);
}

function alertsOverTime({ alerts }: Played): Html {
  const days = grouped(alerts, ({ alert }) =>
    new Date(Number(alert.time_unix_nano.slice(0, -6))).toISOString().slice(0, 13).replace('T', ' '),
  );
  const hours = [...days.keys()].sort();
  const count = (isWanted: (paging: boolean) => boolean) =>
    hours.map((hour) => (days.get(hour) ?? []).filter(({ alert }) => isWanted(isPaging(alert))).length);
  return barPlot(
    'Alerts over time',
    ['hour, UTC', 'alerts an hour'],
    hours,
    [
      { label: 'page', values: count((paging) => paging) },
      { label: 'do not page', values: count((paging) => !paging) },
    ],
    true,
  );
}

function alertSection({ alerts }: Played): Html {
  const paging = alerts.filter(({ alert }) => isPaging(alert));
  return escaped`<h2>Alerts that page</h2>
    ${paging.length > ALERTS_SHOWN ? escaped`<p class="soft">The first ${ALERTS_SHOWN} of ${paging.length}.</p>` : undefined}
    ${table(
      ['session', 'severity', 'detector', 'what'],
      paging
        .slice(0, ALERTS_SHOWN)
        .map(({ session, alert }) => [session ?? '', alert.severity, alert.detector.id, alert.reason]),
    )}`;
}
