import { describe, expect, it } from 'vitest';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { by, detectConfig, omit, runner, type Call } from './sessions.ts';

const calling = () => runner(detectConfig({ novel_chain: { enabled: false } }));
const run = (calls: readonly Call[]) => by(calling().session('s', calls), 'loop');
const times = (count: number, call: Call | ((index: number) => Call)): Call[] =>
  Array.from({ length: count }, (_, index) => (typeof call === 'function' ? call(index) : call));
const same: Call = { tool: 'get_status', arguments: 'job 1', result: 'pending' };
const a: Call = { tool: 'a', arguments: '1', result: 'ra' };
const b: Call = { tool: 'b', arguments: '2', result: 'rb' };
const c: Call = { tool: 'c', arguments: '3', result: 'rc' };
const cancelled = (event: CustodyEvent): CustodyEvent => ({ ...event, result: { category: 'cancelled' } });

describe('loop', () => {
  it('alerts on the fourth identical call', () => {
    const [alert, ...more] = run(times(4, same));
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Identical calls in a row', severity: 'medium', score: 0.5 });
    expect(alert?.evidence).toHaveLength(4);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('raises a loop once, however long it goes on', () => {
    expect(run(times(10, same)).map(({ title }) => title)).toEqual(['Identical calls in a row']);
  });

  it('alerts on identical writes even when their results differ', () => {
    expect(run(times(4, (index) => ({ ...same, action: 'write', result: `order ${index}` })))).toHaveLength(
      1,
    );
  });

  it.each([
    ['two', [a, b]],
    ['three', [a, b, c]],
    ['four', [a, b, c, same]],
  ])('alerts on a cycle of %s calls', (_name, cycle) => {
    const alerts = run([...cycle, ...cycle, ...cycle]);
    expect(alerts.map(({ title }) => title)).toEqual(['Cycle of calls']);
    expect(alerts[0]?.evidence).toHaveLength(3 * cycle.length);
  });

  it('alerts on one tool with ever new arguments and always the same result', () => {
    const alerts = run(
      times(13, (index) => ({ tool: 'search', arguments: `try ${index}`, result: 'nothing found' })),
    );
    expect(alerts.map(({ title }) => title)).toEqual(['One tool again and again without progress']);
  });

  it('alerts on a run of errors, first low, then medium', () => {
    const failing = times(8, (index) => ({
      tool: 'deploy',
      arguments: `${index}`,
      category: 'tool_error' as const,
    }));
    expect(run(failing).map(({ severity }) => severity)).toEqual(['low', 'medium']);
  });

  it('alerts on retries and plan depth above their limits', () => {
    const alerts = run([
      { ...a, change: (event) => ({ ...event, retry_count: 6 }) },
      { ...b, change: (event) => ({ ...event, plan_depth: 13 }) },
    ]);
    expect(alerts.map(({ title }) => title)).toEqual(['Retry limit exceeded', 'Plan depth exceeded']);
  });

  it.each<[string, Call[]]>([
    ['three identical calls', times(3, same)],
    ['polling with changing results', times(12, (index) => ({ ...same, result: `${index} %` }))],
    [
      'alternating polls with changing results',
      times(12, (index) => ({ ...(index % 2 === 0 ? a : b), result: `${index} %` })),
    ],
    ['two rounds of a cycle', [a, b, a, b]],
    [
      'paging through results',
      times(20, (index) => ({ tool: 'list', arguments: `page ${index}`, result: `page ${index}` })),
    ],
    [
      'three errors and then success',
      [
        ...times(3, { tool: 'deploy', category: 'error' }),
        { tool: 'deploy' },
        ...times(3, { tool: 'deploy', category: 'error' }),
      ],
    ],
    ['identical calls with another call between them', [same, a, same, b, same, c, same]],
    [
      'retries and plan depth at their limits',
      [{ ...a, change: (event) => ({ ...event, retry_count: 5, plan_depth: 12 }) }],
    ],
    [
      'continuations of one request',
      times(10, { ...same, change: (event) => ({ ...event, mcp: { continuation: true } }) }),
    ],
    [
      'a request re-issued twice after its stream broke',
      [{ ...same, change: cancelled }, { ...same, change: cancelled }, same, same, same],
    ],
  ])('stays silent on %s', (_name, calls) => {
    expect(run(calls)).toEqual([]);
  });

  it('does not forgive requests that are re-issued for ever', () => {
    expect(run(times(8, { ...same, change: cancelled }))).toHaveLength(1);
  });

  it('does not take calls without known arguments for identical', () => {
    const bare = (event: CustodyEvent): CustodyEvent => omit(event, 'arguments');
    expect(run(times(6, { ...same, change: bare }))).toEqual([]);
  });
});

describe('long sessions', () => {
  const step = (index: number): Call => ({
    tool: `t${index % 7}`,
    arguments: `${index}`,
    result: `r${index}`,
  });
  const stuck = (index: number): Call => ({
    tool: `t${index % 7}`,
    arguments: `${index}`,
    result: 'nothing',
  });
  const titles = (calls: readonly Call[], before: ReturnType<typeof calling> = calling()) =>
    by(before.session('long', calls), 'loop').map(({ title, severity }) => `${severity} ${title}`);
  /** Closed sessions of so many calls. */
  const teach = (run: ReturnType<typeof calling>, sessions: number, calls: number) => {
    for (let index = 0; index < sessions; index += 1) run.session(`day-${index}`, times(calls, step));
    run.wait(31 * 60_000);
  };

  it('are told beyond 45 calls, low, as long as they bring something new', () => {
    expect(titles(times(45, step))).toEqual([]);
    expect(titles(times(200, step))).toEqual(['low Session far longer than others']);
  });

  it('are told beyond 60 calls where most bring nothing new', () => {
    expect(titles(times(61, stuck))).toEqual([
      'low Session far longer than others',
      'medium Long session without progress',
    ]);
  });

  it('are measured by what is usual here, learned when sessions close', () => {
    const run = calling();
    teach(run, 25, 90);
    expect(titles(times(90, stuck), run)).toEqual([]);
  });

  it('do not teach while they are open', () => {
    const run = calling();
    for (let index = 0; index < 25; index += 1) run.session('one', times(90, step));
    expect(titles(times(46, step), run)).toEqual(['low Session far longer than others']);
  });
});

describe('retries over several sessions', () => {
  const failing: Call = { tool: 'pay', arguments: 'x', category: 'error' };
  const flood = (sessions: number, perSession: number) => {
    const run = calling();
    return times(sessions, failing).flatMap((call, index) =>
      by(run.session(`s${index}`, times(perSession, call)), 'loop').filter(({ title }) =>
        title.startsWith('Flood'),
      ),
    );
  };

  it('of one actor are told together', () => {
    const [alert, ...more] = flood(12, 3);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ severity: 'medium', title: 'Flood of retries over several sessions' });
  });

  it('are no flood while they are few', () => {
    expect(flood(6, 3)).toEqual([]);
  });
});
