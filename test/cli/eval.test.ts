import { existsSync, linkSync, readFileSync, writeFileSync } from 'node:fs';
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
  expect(told.quality.fired).toMatchObject({ recall: 1, fpr: 0, found: 1, found_in_time: 1 });
  expect(told.volumes).toMatchObject({ warmup_sessions: 2, sessions: 3 });
  const lines = readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const loop = lines.find(({ detector }) => detector === 'loop');
  expect(loop).toMatchObject({ session: 'c1', fired: true });
  expect(Number.isInteger(loop?.['seq'])).toBe(true);
  for (const line of lines)
    expect(Object.keys(line).join()).toMatch(/^session,seq,score,detector,(fired,)?tenant$/);
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
  const report = await evaluated(
    '--folds',
    'task',
    '--labels',
    fileOf(labels),
    '--html',
    `${fileOf(labels)}.html`,
  );
  expect(report.stderr).toBe('custody: cannot write a report of folds: leave out --html or --folds\n');
});

/** Names of all members, however deep; goals of attackers are names of the label file. */
function membersOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(membersOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'recall_by_goal' ? [name] : [name, ...membersOf(member)],
  );
}

test('members of the JSON are snake_case, for sessions, planted incidents and folds', async () => {
  const incidents = [{ session: 'c1', incident: 'loop', should_alert: true }];
  const told = [
    await evaluated('--labels', fileOf(labels), '--json'),
    await evaluated('--labels', fileOf(incidents), '--json'),
    await evaluated('--labels', fileOf(labels), '--folds', 'task', '--json'),
  ];
  const members = told.flatMap(({ stdout }) => membersOf(JSON.parse(stdout)));
  expect(members).toEqual(expect.arrayContaining(['fpr_max', 'should_alert', 'warmup_sessions', 'pooled']));
  expect(members.filter((name) => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([]);
});

test('labelled sessions that are not in the stream are told and count as not found; without any other there is no result', async () => {
  const other = { ...labels[2], session: 'elsewhere' };
  const some = await evaluated('--labels', fileOf([...labels, other]), '--json');
  expect(some.code).toBe(0);
  expect(some.stderr).toBe('1 labelled sessions are not in the stream; they count as not found\n');
  expect((JSON.parse(some.stdout) as { quality: object }).quality).toMatchObject({ fired: { recall: 0.5 } });
  for (const more of [[], ['--folds', 'task']]) {
    const none = await evaluated('--labels', fileOf([other]), ...more);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toBe(
      'custody: cannot judge the stream: none of 1 labelled sessions is among its 3; ' +
        'check that --labels and --stream belong together and name sessions alike, in the member session\n',
    );
  }
});

test('one name of a session in two tenants is two sessions, and labels with a tenant tell them apart', async () => {
  const twins = [
    ...calls('c1', 0, looping),
    ...calls('c1', 1000, ['get_item', 'list_items'], { tenant: 'globex' }),
  ];
  const label = { session: 'c1', user_task: 'c', goal: 'x/loop' };
  const { stdout } = await captured(
    ...['eval', '--rules', 'none', '--stream', fileOf(twins), '--json', '--labels'],
    fileOf([
      { ...label, label: 'attack_succeeded', tenant: 'acme' },
      { ...label, label: 'benign', tenant: 'globex' },
    ]),
  );
  const { quality, volumes } = JSON.parse(stdout) as { quality: object; volumes: { detectors: object[] } };
  expect(volumes).toMatchObject({ sessions: 2 });
  expect(quality).toMatchObject({ auc: 1, fired: { recall: 1, fpr: 0 } });
  expect(volumes.detectors).toContainEqual(
    expect.objectContaining({ detector: 'loop', sessions_paged: 1, benign_sessions_paged: 0 }),
  );
  const out = fileOf([]);
  const both = [...calls('c1', 0, looping), ...calls('c1', 1000, looping, { tenant: 'globex' })];
  await captured('eval', '--rules', 'none', '--stream', fileOf(both), '--out', out);
  const fired = readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { tenant: string; seq: number; detector: string })
    .filter(({ detector }) => detector === 'loop');
  expect(new Set(fired.map(({ tenant }) => tenant))).toEqual(new Set(['acme', 'globex']));
  const seqs = (whose: string) => fired.filter(({ tenant }) => tenant === whose).map(({ seq }) => seq);
  expect(seqs('globex')).toEqual(seqs('acme'));
});

test('a result that cannot be written is told before anything is played', async () => {
  for (const option of ['--out', '--html']) {
    const refused = await captured('eval', '--stream', '/nowhere.jsonl', option, '/nodir/x');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toBe('custody: cannot write /nodir/x: ENOENT\n');
  }
  const fresh = `${fileOf([])}.html`;
  expect((await captured('eval', '--stream', '/nowhere.jsonl', '--html', fresh)).stderr).toMatch(/ENOENT/);
  expect(existsSync(fresh)).toBe(false);
});

test('a result is never written over what is read, under another name neither', async () => {
  const [file, known] = [fileOf(stream), fileOf(labels)];
  const linked = `${file}.linked`;
  linkSync(file, linked);
  const before = readFileSync(file, 'utf8');
  const args = ['eval', '--rules', 'none', '--stream', file, '--labels', known];
  for (const [option, path, other] of [
    ['--out', file, '--stream'],
    ['--html', linked, '--stream'],
    ['--html', known, '--labels'],
  ] as const) {
    const refused = await captured(...args, option, path);
    expect(refused.stderr).toBe(`custody: cannot write ${path}: ${option} and ${other} name the same file\n`);
    expect(refused.code).toBe(2);
  }
  const twice = await captured(...args, '--out', `${file}.new`, '--html', `${file}.new`);
  expect(twice.stderr).toContain('--html and --out name the same file');
  expect(readFileSync(file, 'utf8')).toBe(before);
  const out = fileOf([]);
  writeFileSync(out, 'an older result');
  expect((await captured(...args, '--out', out, '--html', '/dev/null')).code).toBe(0);
  expect(readFileSync(out, 'utf8')).toMatch(/^\{"session"/);
});
