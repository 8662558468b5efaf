import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { rangeOf } from '../../cli/backtest-range.ts';
import { encodeEvent } from '../../collectors/normalize/encode.ts';
import { createEntryBuilder } from '../../evidence/entry-builder.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import { openChdbStore } from '../../sinks/store/chdb-store.ts';
import { fileOf } from '../backtest/recording/lines-file.ts';
import { captured } from './captured.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'custody-backtest-cli-'));
const startMs = 1_767_225_600_000;
const backtested = (...more: readonly string[]) =>
  captured('backtest', '--data-dir', dataDir, '--from', '2026-01-01', '--to', '2026-01-02', ...more);

beforeAll(async () => {
  const store = await openChdbStore({ path: join(dataDir, 'store') });
  const place = { deployment: 'test', topic: 'custody.events', topicId: 't', partition: 0 };
  const builder = createEntryBuilder(place, { day: -1, heads: [] });
  await store.append(
    Array.from({ length: 40 }, (_, index): CustodyEvent => {
      const time = `${startMs + index * 1000}000000`;
      return {
        ...{ schema: EVENT_SCHEMA, event_id: `00000000-0000-8000-8000-${String(index).padStart(12, '0')}` },
        ...{
          kind: 'tool_call',
          phase: 'complete',
          tenant: 'acme',
          time_unix_nano: time,
          observed_time_unix_nano: time,
        },
        source: { collector: 'otlp_http', signal: 'span', dialect: 'test', vantage: 'client' },
        session: { key: 's1', source: 'conversation_id', confidence: 'high' },
        tool: { name: 'get_item', action: 'read' },
        arguments: { digest: 'a'.repeat(64), size_bytes: 20 },
        result: { category: 'ok', size_bytes: 10 },
      };
    }).flatMap((event, index) =>
      builder.add({
        key: 'acme',
        value: encodeEvent(event),
        offset: BigInt(index),
        appendTimeMs: startMs + index * 1000,
      }),
    ),
  );
  await store.close();
});

afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

test('backtest prints the alerts, the outcome, and writes a report; replay finds the same', async () => {
  const html = fileOf([]);
  const labels = fileOf([
    { session: 's1', label: 'attack' },
    { session: 's2', label: 'benign' },
    { session: 's3', label: 'attack' },
    { alert_id: 'never-raised', label: 'benign' },
  ]);
  const { code, stdout, stderr } = await backtested(
    '--labels',
    labels,
    '--html',
    html,
    '--profile',
    '--json',
  );
  expect(stderr).toMatch(
    new RegExp(
      '^2 labelled sessions have no event in what was played; they are not counted\n' +
        '1 labelled alerts were not raised; they are not counted\nplayed 40 events in ',
    ),
  );
  expect(code).toBe(0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const { outcome } = lines.at(-1) as {
    outcome: { alerts: number; added: number; gone: number; quality: object; times: object[] };
  };
  expect(outcome.alerts).toBe(lines.length - 1);
  expect(outcome).toMatchObject({
    added: outcome.alerts,
    gone: 0,
    not_played: 0,
    quality: { recall: 1, sessions_wrong: 1, sessions_fine: 0, sessions_fine_alerted: 0 },
  });
  expect(outcome.alerts).toBeGreaterThan(0);
  expect(outcome.times.length).toBeGreaterThan(3);
  expect(readFileSync(html, 'utf8')).toContain('Alerts by day and detector');
  const replay = await captured('replay', '--data-dir', dataDir, '--diff', '--json');
  expect(replay.stderr).toMatch(new RegExp(`replayed 40 events, ${outcome.alerts} alerts`));
  expect(
    replay.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { change: string }).change),
  ).toEqual(Array<string>(outcome.alerts).fill('+'));
});

test('a rule of a directory is tried on what is stored', async () => {
  const rules = mkdtempSync(join(tmpdir(), 'custody-backtest-rules-'));
  writeFileSync(
    join(rules, 'burst.yaml'),
    [
      'id: get-item-burst',
      'title: Many reads of items',
      'version: 1',
      'description: An agent reads items over and over.',
      'severity: medium',
      'maturity: experimental',
      'correlation: { type: threshold, count: 30, within: 5m }',
      'group_by: [session.key]',
      'match: { condition: \'call.tool == "get_item"\' }',
      "alert: { reason: '{{tool}} again and again', normal: 'a few reads' }",
      'tests: []',
    ].join('\n'),
  );
  const { code, stdout, stderr } = await backtested('--rules', rules, '--profile', '--json');
  expect(stderr).toMatch(/^played 40 events in /);
  expect(code).toBe(0);
  expect(stdout).toContain('rule/get-item-burst');
  const { outcome } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    outcome: { times: { detector: string; ms: number }[] };
  };
  const times = new Map(outcome.times.map(({ detector, ms }) => [detector, ms]));
  expect(times.get('rule/get-item-burst')).toBeLessThanOrEqual(times.get('rules') ?? -1);
  expect((await backtested('--rules', rules, '--profile')).stdout).toMatch(
    /slowest rules +ms\n +rule\/get-item-burst +\d/,
  );
  rmSync(rules, { recursive: true });
});

test('a range is dates, times or ages; a warm-up goes before it', () => {
  const nowMs = Date.UTC(2026, 0, 31);
  const dayMs = 86_400_000;
  expect(rangeOf({}, nowMs)).toEqual({ fromMs: 0, toMs: nowMs + 1, warmupFromMs: 0, tenant: undefined });
  expect(rangeOf({ from: '7d', to: '2026-01-30T12:00:00', warmupDays: '3', tenant: 'acme' }, nowMs)).toEqual({
    ...{
      fromMs: nowMs - 7 * dayMs,
      toMs: nowMs - dayMs / 2,
      warmupFromMs: nowMs - 10 * dayMs,
      tenant: 'acme',
    },
  });
  expect(() => rangeOf({ from: 'soon' }, nowMs)).toThrow(
    'cannot read --from soon: neither a date nor an age such as 7d',
  );
  expect(() => rangeOf({ from: '1d', to: '2d' }, nowMs)).toThrow('--from is not before --to');
  expect(() => rangeOf({ warmupDays: 'x' }, nowMs)).toThrow('--warmup-days x is not a number of days');
});

test('rules are measured where tenants share statistics too', async () => {
  vi.stubEnv('CUSTODY_DETECT_SHARED_STATISTICS_ENABLED', 'true');
  try {
    const { stdout, stderr } = await backtested('--rules', 'builtin', '--profile');
    expect(stderr).toMatch(/^played \d+ events in /);
    expect(stdout).toMatch(/slowest rules +ms\n +rule\/\S+ +\d/);
  } finally {
    vi.unstubAllEnvs();
  }
});

test('a day no month has is refused', () => {
  for (const from of ['2026-02-31', '2026-02-29T10:00:00Z', '2026-00-10'])
    expect(() => rangeOf({ from }, Date.UTC(2027, 0))).toThrow(`cannot read --from ${from}: neither a date`);
  expect(rangeOf({ from: '2028-02-29' }, Date.UTC(2029, 0)).fromMs).toBe(Date.UTC(2028, 1, 29));
});

test('a tenant the store does not know is told', async () => {
  const unknown = await backtested('--tenant', 'acne');
  expect(unknown).toMatchObject({
    code: 2,
    stderr: 'custody: cannot play history: the store has no event of tenant acne\n',
  });
  expect((await backtested('--tenant', 'acme')).stderr).toMatch(/^played 40 events in /);
});

test('a report that cannot be written, or would replace an input, is told before anything is played', async () => {
  expect(await backtested('--html', '/nodir/x')).toEqual({
    ...{ code: 2, stdout: '', stderr: 'custody: cannot write /nodir/x: ENOENT\n' },
  });
  const labels = fileOf([{ session: 's1', label: 'attack' }]);
  expect(await backtested('--html', labels, '--labels', labels)).toMatchObject({
    code: 2,
    stderr: `custody: cannot write ${labels}: --html and --labels name the same file\n`,
  });
  expect(readFileSync(labels, 'utf8')).toContain('s1');
});
