import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileOf } from '../backtest/recording/lines-file.ts';
import { captured } from './captured.ts';

const at = (second: number) => new Date(1_767_225_600_000 + second * 1000).toISOString();
const calls = (session: string, start: number, tools: readonly string[], more: object = {}) =>
  tools.map((tool, seq) => ({
    ...{ session, tenant: 'acme', agent: 'a1', seq, ts: at(start + seq), tool, kind: 'read', server: 'desk' },
    ...{
      args_bytes: 20,
      args_hash: 'aa00bb11cc22dd33',
      output_bytes: 50,
      error: false,
      vals: [],
      destinations: [],
    },
    ...(seq === 0 ? { intent: [session.startsWith('b') ? '0000002a' : '0000002b'] } : {}),
    ...more,
  }));
const warmup = [
  ...calls('b-w1', 0, ['get_item', 'list_items']),
  ...calls('c-w2', 100, ['get_item', 'list_items']),
];
const looping = Array.from({ length: 9 }, () => 'get_item');
const stream = [
  ...calls('b1', 1000, ['get_item', 'list_items']),
  ...calls('c1', 2000, looping),
  ...calls('b2', 3000, ['list_items', 'get_item']),
];
const labels = [
  { session: 'b1', label: 'benign', tenant: 'acme', user_task: 'b', goal: null, attack_call_seqs: [] },
  { session: 'b2', label: 'benign', tenant: 'acme', user_task: 'b', goal: null, attack_call_seqs: [] },
  {
    session: 'c1',
    label: 'attack_succeeded',
    tenant: 'acme',
    user_task: 'c',
    goal: 'x/loop',
    attack_call_seqs: [8],
  },
];
const registry = [{ tool: 'get_item', server: 'desk', zone: 'internal', readOnlyHint: true }];
const evaluated = (...more: readonly string[]) =>
  captured('eval', '--rules', 'none', '--stream', fileOf(stream), ...more);

test('eval plays warm-up and stream, writes scorer lines and a report, and prints the table', async () => {
  const [out, html] = [fileOf([]), fileOf([])];
  const { code, stdout } = await evaluated(
    ...['--warmup', fileOf(warmup), '--registry', fileOf([registry]), '--labels', fileOf(labels)],
    ...['--out', out, '--html', html, '--json'],
  );
  expect(code).toBe(0);
  const told = JSON.parse(stdout) as {
    quality: { fired: object; at: unknown[] };
    volumes: { warmup_sessions: number; sessions: number };
  };
  expect(told.quality.fired).toMatchObject({ recall: 1, fpr: 0, found: 1, foundInTime: 1 });
  expect(told.volumes).toMatchObject({ warmup_sessions: 2, sessions: 3 });
  const lines = readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const loop = lines.find(({ detector }) => detector === 'loop');
  expect(loop).toMatchObject({ session: 'c1', fired: true });
  expect(Number.isInteger(loop?.['seq'])).toBe(true);
  for (const line of lines)
    expect(Object.keys(line).sort().join()).toMatch(/^detector,(fired,)?score,seq,session$/);
  expect(readFileSync(html, 'utf8')).toContain('ROC');
});

test('eval of planted incidents tells for each kind how many alerted; without labels it tells volumes', async () => {
  const incidents = [
    { session: 'c1', incident: 'loop', should_alert: true },
    { session: 'b1', incident: 'loop look-alike', should_alert: false },
  ];
  const planted = await evaluated('--labels', fileOf(incidents));
  expect(planted.stdout).toMatch(/ALERT {2}loop +alerted 1\/1\n/);
  expect(planted.stdout).toMatch(/quiet {2}loop look-alike +alerted 0\/1\n/);
  const { stdout } = await evaluated();
  expect(stdout).toMatch(/^played 3 sessions, /);
});

test('folds by task learn from no session of the tasks they are tested on', async () => {
  const { code, stdout } = await evaluated(
    ...['--warmup', fileOf(warmup), '--labels', fileOf(labels), '--folds', 'task', '--json'],
  );
  expect(code).toBe(0);
  const { folds } = JSON.parse(stdout) as { folds: { name: string; warmup_sessions: number }[] };
  expect(folds.map(({ warmup_sessions: sessions }) => sessions)).toEqual([1, 1]);
});

test('what cannot be used is one sentence and exit code 2', async () => {
  const missing = await captured('eval', '--rules', 'none', '--stream', '/nowhere.jsonl');
  expect(missing).toMatchObject({
    code: 2,
    stderr: 'custody: cannot read recording /nowhere.jsonl: ENOENT\n',
  });
  const unlabelled = await evaluated('--folds', 'task');
  expect(unlabelled).toMatchObject({ code: 2 });
  expect(unlabelled.stderr).toBe('custody: cannot cross-validate: --folds needs --labels of sessions\n');
});
