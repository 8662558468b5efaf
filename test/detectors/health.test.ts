import { describe, expect, it } from 'vitest';
import { health } from '../../detectors/health.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const start = () => only(health(detectConfig().health));
const minuteMs = 60_000;
const search: Call = { tool: 'search', server: 'wiki' };
const note: Call = { tool: 'note', server: 'desk' };
const told = (alerts: readonly { title: string; severity: string }[]) =>
  alerts.map(({ title, severity }) => `${severity} ${title}`);

describe('a silent server', () => {
  const usual = (run: ReturnType<typeof start>, rounds: number, calls: readonly Call[]) =>
    times(rounds, (index) => {
      run.wait(minuteMs);
      return calls.flatMap((call) => run.call(`s${Math.floor(index / 10)}`, call));
    }).flat();

  it('is told while others go on, once', () => {
    const run = start();
    expect(usual(run, 120, [search, note])).toEqual([]);
    const alerts = usual(run, 90, [note]);
    expect(told(alerts)).toEqual(['low Server silent']);
    expect(alerts[0]).toMatchObject({ server_name: 'wiki' });
    expect(alerts[0]?.session_key).toBeUndefined();
    expect(alertSchema.parse(alerts[0])).toEqual(alerts[0]);
  });

  it('is none in a night in which nobody works', () => {
    const run = start();
    usual(run, 120, [search, note]);
    run.wait(14 * 60 * minuteMs);
    expect(usual(run, 5, [note])).toEqual([]);
  });

  it('is none that is seldom called', () => {
    const run = start();
    usual(run, 40, [search, note]);
    expect(usual(run, 200, [note])).toEqual([]);
  });
});

describe('latency', () => {
  const taking =
    (ms: number): ((event: CustodyEvent) => CustodyEvent) =>
    (event) => ({
      ...event,
      end_time_unix_nano: String(BigInt(event.time_unix_nano) + BigInt(ms) * 1_000_000n),
    });
  const calls = (
    run: ReturnType<typeof start>,
    session: string,
    count: number,
    ms: (index: number) => number,
  ) => [
    ...times(count, (index) => run.call(session, { ...search, change: taking(ms(index)) })).flat(),
    ...run.end(session),
  ];
  const teach = (run: ReturnType<typeof start>) =>
    times(12, (index) => calls(run, `day-${index}`, 10, (call) => 100 + 40 * call)).flat();

  it('is told when it is four times what it was', () => {
    const run = start();
    expect(teach(run)).toEqual([]);
    const alerts = calls(run, 'slow', 25, () => 4000);
    expect(told(alerts)).toEqual(['low Tool far slower than usual']);
  });

  it.each<[string, (index: number) => number]>([
    ['three slow calls in twenty', (index) => (index % 7 === 0 ? 9000 : 200)],
    ['twice as slow', () => 900],
  ])('is not told: %s', (_what, ms) => {
    const run = start();
    teach(run);
    expect(calls(run, 's', 40, ms)).toEqual([]);
  });

  it('is not told of what is fast anyway', () => {
    const run = start();
    times(12, (index) => calls(run, `day-${index}`, 10, () => 5));
    expect(calls(run, 's', 40, () => 60)).toEqual([]);
  });
});

describe('what components say', () => {
  const report = (run: ReturnType<typeof start>, health: Partial<NonNullable<CustodyEvent['health']>>) =>
    told(run.tell({ kind: 'context', health: { component: 'indexer', ...health } }));

  it('is told when they fail, until they are well again', () => {
    const run = start();
    expect(report(run, { status: 'ok' })).toEqual([]);
    expect(report(run, { status: 'failing' })).toEqual(['medium Component failing']);
    expect(report(run, { status: 'failing' })).toEqual([]);
    expect(report(run, { status: 'down' })).toEqual(['high Component down']);
    run.wait(60 * minuteMs);
    expect(report(run, { status: 'ok' })).toEqual([]);
    expect(report(run, { status: 'degraded' })).toEqual(['low Component degraded']);
  });

  it('is told of what they depend on', () => {
    expect(report(start(), { status: 'failing', dependency: 'vector-db' })).toEqual([
      'medium Component failing because of what it depends on',
    ]);
  });

  it('is told when a queue grows three times in a row, not when it goes up and down', () => {
    const run = start();
    expect([50, 120, 300].flatMap((queue_depth) => report(run, { queue_depth }))).toEqual([]);
    expect(report(run, { queue_depth: 700 })).toEqual(['medium Queue grows']);
    const wavy = start();
    expect([200, 300, 250, 400, 350, 500].flatMap((queue_depth) => report(wavy, { queue_depth }))).toEqual(
      [],
    );
    const small = start();
    expect([1, 2, 3, 4, 5, 6].flatMap((queue_depth) => report(small, { queue_depth }))).toEqual([]);
  });
});

it('keeps its state bounded and over a restart', () => {
  const run = start();
  times(2500, (index) => run.tell({ kind: 'context', health: { component: `c${index}`, queue_depth: 1 } }));
  times(500, (index) => run.call(`s${index}`, { tool: `t${index}`, server: `s${index}` }));
  run.tell({ kind: 'context', health: { component: 'indexer', status: 'down' } });
  run.restart();
  expect(run.tell({ kind: 'context', health: { component: 'indexer', status: 'down' } })).toEqual([]);
  expect(stateBytes(run)).toBeLessThan(1_000_000);
});
