import { expect, test } from 'vitest';
import { evaluationReport } from '../../../backtest/report/evaluation-report.ts';
import { backtestReport } from '../../../backtest/report/backtest-report.ts';
import { barPlot, unitPlot } from '../../../backtest/report/plots.ts';
import { markup } from '../../../bundle/report/html.ts';
import { qualityOf } from '../../../backtest/evaluate/quality.ts';
import type { SessionLabel } from '../../../backtest/evaluate/labels.ts';
import { volumesOf } from '../../../backtest/evaluate/volumes.ts';
import { newScoreSummary } from '../../../backtest/stored/score-summary.ts';
import { outcomeOf, outcomeText } from '../../../backtest/stored/outcome.ts';
import type { Alert } from '../../../schemas/alert.ts';

const hostile = `"><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)> \u202e`;
const alert: Alert = {
  ...{
    schema: 'custody.alert/v1',
    alert_id: '00000000-0000-8000-8000-000000000001',
    tenant: 'acme',
    title: hostile,
  },
  ...{
    detector: { id: 'rule/x', version: 1 },
    time_unix_nano: '1767225600000000000',
    severity: 'high',
    score: 0.9,
  },
  ...{ reason: hostile, observed: 'o', normal: 'n', distance: 'd', dedup_key: 'k', session_key: hostile },
  ...{ evidence: ['00000000-0000-8000-8000-000000000002'], references: { owasp: [], atlas: [], attack: [] } },
};

/** What a page must not hold, whatever was in the alerts. */
function expectInert(page: string): void {
  expect(page).toContain('&lt;script&gt;');
  expect(page).not.toMatch(/<script|<img|<link|<iframe|javascript:|\u202e/i);
  expect(page).not.toMatch(/<[^>]*\s(?:src|href|on\w+|style)=|url\(|@import/i);
  expect(page).toContain('default-src &#39;none&#39;');
  expect(page.match(/<svg/g)?.length).toBeGreaterThan(1);
}

test('the report of an evaluation shows hostile text as text, and loads nothing', () => {
  const labels: SessionLabel[] = [
    {
      session: hostile,
      label: 'attack_succeeded',
      tenant: 't',
      task: undefined,
      goal: hostile,
      attackSeqs: [],
    },
    { session: 'b', label: 'benign', tenant: 't', task: undefined, goal: undefined, attackSeqs: [] },
  ];
  const scored = [{ tenant: 'acme', session: hostile, seq: 0, score: 0.9, detector: 'rule/x', fired: true }];
  const played = {
    scored,
    alerts: [{ session: hostile, alert }],
    sessions: new Set([`acme\n${hostile}`, 't\nb']),
    events: 2,
    busyMs: 1,
  };
  const known = { kind: 'sessions', labels } as const;
  const volumes = volumesOf(played, undefined, known);
  expectInert(evaluationReport({ played, labels: known, volumes, quality: qualityOf(labels, scored) }));
});

test('the report of a backtest shows hostile text as text, and loads nothing', () => {
  const played = {
    ...{ alerts: [alert], events: 1, scores: newScoreSummary(), sessions: new Set<string>(), busyMs: 1 },
    times: { loop: 3, rules: 2, 'rule/<script>': 1.26 },
  };
  const gone = {
    alert_id: 'g',
    detector_id: 'loop',
    severity: 'low',
    title: hostile,
    session_key: 's',
    time: '',
  };
  const outcome = outcomeOf({ fromMs: 0, toMs: 1 }, played, new Map([['g', gone]]), undefined);
  expect(outcome.added).toEqual([alert]);
  expect(outcome.gone).toEqual([gone]);
  const labels = {
    alerts: new Map<string, boolean>(),
    sessions: new Map([
      ['s', true],
      ['f', false],
    ]),
  };
  const page = backtestReport({ outcome, played, labels });
  expectInert(page);
  expect(page).toContain('>rule/&lt;script&gt;</td>');
});

const nothingPlayed = {
  alerts: [],
  events: 0,
  scores: newScoreSummary(),
  sessions: new Set<string>(),
  busyMs: 1,
};

test('an alert whose event was not played is neither gone nor new, and is counted', () => {
  const played = { ...nothingPlayed, times: {} };
  const fired = (id: string) => ({
    ...{ alert_id: id, detector_id: 'loop', severity: 'low', title: 't', session_key: 's', time: '' },
  });
  const stored = new Map([
    ['g', fired('g')],
    ['u', fired('u')],
  ]);
  const outcome = outcomeOf({ fromMs: 0, toMs: 1 }, played, stored, undefined, new Set(['u']));
  expect([outcome.gone, outcome.not_played]).toEqual([[fired('g')], [fired('u')]]);
  expect(outcomeText(outcome)).toBe(
    '0 alerts, 0 that page; 0 new, 1 gone, 1 fired on events that were not played\n',
  );
});

test('the slowest detectors and the slowest rules are rows of their own, slowest first', () => {
  const played = {
    ...nothingPlayed,
    times: { loop: 3, rules: 127, 'rule/fast': 0.04, 'rule/slow': 90.25 },
  };
  const outcome = outcomeOf({ fromMs: 0, toMs: 1 }, played, new Map(), undefined);
  expect(outcome.times[1]).toEqual({ detector: 'rule/slow', ms: 90.3 });
  const rows = outcomeText(outcome)
    .split('\n')
    .map((row) => row.trim().split(/ {2,}/));
  expect(rows.slice(1, -1)).toEqual([
    ['slowest detectors', 'ms'],
    ['rules', '127.0'],
    ['loop', '3.0'],
    ['slowest rules', 'ms'],
    ['rule/slow', '90.3'],
    ['rule/fast', '0.0'],
  ]);
});

test('plots of nothing, of one thing and of zeros are drawn', () => {
  for (const values of [[], [0], [5], [0, 1e6]]) {
    const drawn = markup(barPlot('t', ['x', 'y'], values.map(String), [{ label: 'a', values }], true));
    expect(drawn).not.toMatch(/NaN|Infinity/);
  }
  expect(markup(unitPlot('t', ['x', 'y'], [{ label: 'a', points: [] }]))).not.toMatch(/NaN|Infinity/);
});
