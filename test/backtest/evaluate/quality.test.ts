import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { taskIntervals } from '../../../backtest/evaluate/bootstrap.ts';
import { readLabels, type SessionLabel } from '../../../backtest/evaluate/labels.ts';
import type { Scored } from '../../../backtest/evaluate/play-recording.ts';
import { areaUnderRoc, incidentQuality, qualityOf, rocCurve } from '../../../backtest/evaluate/quality.ts';
import { scorerLine } from '../../../backtest/evaluate/scorer-lines.ts';
import { sharedData } from '../../support/shared-data.ts';
import { fileOf } from '../recording/lines-file.ts';

const label = (
  session: string,
  kind: SessionLabel['label'],
  more: Partial<SessionLabel> = {},
): SessionLabel => ({
  ...{ session, label: kind, tenant: 't', task: 'one', goal: 'a/b', attackSeqs: [2] },
  ...more,
});
const line = (session: string, seq: number | null, score: number, fired = false): Scored => ({
  ...{ tenant: 't', session, seq, score, fired, detector: 'd' },
});

test('sessions are judged by their highest score, ties count half, and a score at the threshold is no alarm', () => {
  const labels = [
    label('b1', 'benign'),
    label('b2', 'benign'),
    label('a1', 'attack_succeeded'),
    label('a2', 'attack_succeeded'),
  ];
  const quality = qualityOf(labels, [
    line('b1', 0, 0.5),
    line('a1', 0, 0.2),
    line('a1', 3, 0.9),
    line('a2', 0, 0.5),
  ]);
  expect(quality.auc).toBe(0.875);
  expect(quality.at[0]).toMatchObject({ threshold: 0.5, recall: 0.5, found: 1, foundInTime: 0 });
});

test('an alert is in time at or before the first call that served the attacker, and about a session as a whole it is not', () => {
  const labels = [
    label('a1', 'attack_succeeded'),
    label('a2', 'attack_succeeded'),
    label('a3', 'attack_succeeded'),
    label('b', 'benign'),
  ];
  const { fired } = qualityOf(labels, [
    line('a1', 2, 1, true),
    line('a2', 3, 1, true),
    line('a3', null, 1, true),
  ]);
  expect(fired).toMatchObject({ recall: 1, found: 3, foundInTime: 1, fpr: 0 });
});

test('the ROC curve ends with all, and its area is that of the ranks', () => {
  const labels = ['1', '2', '3', '4'].map((name, index) =>
    label(name, index < 2 ? 'attack_succeeded' : 'benign'),
  );
  const lines = [line('1', 0, 0.9), line('2', 0, 0.4), line('3', 0, 0.6), line('4', 0, 0.1)];
  const curve = rocCurve(labels, lines);
  expect(curve).toEqual([
    [0, 0],
    [0, 0.5],
    [0.5, 0.5],
    [0.5, 1],
    [1, 1],
  ]);
  expect(areaUnderRoc([0.9, 0.4], [0.6, 0.1])).toBe(0.75);
});

test('planted incidents count by sessions with an alert that pages, scores alone do not', () => {
  const labels = [
    { session: 'i1', tenant: '', incident: 'ssrf', shouldAlert: true },
    { session: 'i2', tenant: '', incident: 'ssrf', shouldAlert: true },
    { session: 'q1', tenant: '', incident: 'ssrf look-alike', shouldAlert: false },
  ];
  expect(incidentQuality(labels, [line('i1', 0, 1, true), line('i2', 0, 1), line('q1', 0, 0.9)])).toEqual([
    { incident: 'ssrf', shouldAlert: true, sessions: 2, alerted: 1 },
    { incident: 'ssrf look-alike', shouldAlert: false, sessions: 1, alerted: 0 },
  ]);
});

test('intervals over tasks hold the figure, are the same each time, and are wider than a point when tasks differ', () => {
  const labels = Array.from({ length: 40 }, (_, index) =>
    label(`s${index}`, index % 2 === 0 ? 'benign' : 'attack_succeeded', { task: `task ${index % 5}` }),
  );
  const lines = labels.map(({ session }, index) =>
    line(session, 0, ((index * 7) % 11) / 11 + (index % 2) * (index % 5) * 0.1),
  );
  const figures = [({ auc }: { auc: number }) => auc];
  const [interval] = taskIntervals(labels, lines, figures);
  const { auc } = qualityOf(labels, lines);
  expect(taskIntervals(labels, lines, figures)).toEqual([interval]);
  expect(interval?.low).toBeLessThan(auc);
  expect(interval?.high).toBeGreaterThan(auc);
});

test('a label file with a line that is no label is refused with its number', async () => {
  await expect(
    readLabels(
      fileOf([
        { session: 's', label: 'benign' },
        { session: 't', label: 'odd' },
      ]),
    ),
  ).rejects.toThrow(/line 2 has no label that is known/);
  await expect(readLabels(fileOf(['no json']))).rejects.toThrow(/line 1 names no session/);
});

const data = sharedData();
const hasPython = (() => {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('SKIPPED no python3\n');
    return false;
  }
})();

test.skipIf(data === undefined || !hasPython)(
  'the figures are those of the scorer of the recordings',
  async () => {
    const folder = fileURLToPath(data ?? new URL('file:///'));
    const labelFile = `${folder}stream.labels.jsonl.gz`;
    const read = await readLabels(labelFile);
    if (read.kind !== 'sessions') throw new Error('labels of sessions expected');
    let state = 7;
    const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const lines = read.labels.flatMap(({ session, label: kind, attackSeqs }) =>
      Array.from({ length: 1 + Math.floor(next() * 5) }, (_, seq) => ({
        ...line(
          session,
          next() < 0.1 ? null : seq,
          Math.round(100 * next() * (kind === 'attack_succeeded' ? 1.3 : 1)) / 130,
        ),
        fired: next() < (attackSeqs.length > 0 ? 0.2 : 0.02),
      })),
    );
    const scorer = (those: readonly Scored[]) => {
      const file = fileOf([]);
      writeFileSync(file, those.map(scorerLine).join(''));
      return execFileSync('python3', [`${folder}score_alerts.py`, labelFile, file]).toString();
    };
    const { auc, at, fired } = qualityOf(read.labels, lines);
    const told = scorer(lines);
    expect(told).toContain(`AUC ${auc.toFixed(3)}`);
    const points = [
      ...told.matchAll(
        /recall (\S+) {2}resisted flagged (\S+) {2}alert at or before first attack call (\d+)\/(\d+)/g,
      ),
    ];
    expect(points.map(([, ...figures]) => figures)).toEqual(
      at.map((point) => [
        point.recall.toFixed(3),
        point.resisted.toFixed(3),
        String(point.foundInTime),
        String(point.found),
      ]),
    );
    const paged = scorer(lines.filter((each) => each.fired).map((each) => ({ ...each, score: 1 })));
    expect(paged).toContain(`recall ${fired.recall.toFixed(3)} FPR ${fired.fpr.toFixed(3)}`);
  },
);
