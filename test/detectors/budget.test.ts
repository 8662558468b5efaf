import { describe, expect, it } from 'vitest';
import { budget } from '../../detectors/budget.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const start = () => only(budget(detectConfig().budget));
const search: Call = { tool: 'search', server: 'wiki', argumentsBytes: 1000 };
const limited = (rule: object) => {
  const run = start();
  run.decide({
    budgets: [{ id: 'b', per: 'agent', measure: 'calls', window_sec: 3600, limit: 10, ...rule }],
  });
  return run;
};
const told = (alerts: readonly { title: string }[]) => alerts.map(({ title }) => title);
const dayMs = 24 * 3_600_000;

describe('a budget of the registry', () => {
  it('is told at 80 percent and when it is exceeded, once each', () => {
    const run = limited({});
    const alerts = times(15, (index) =>
      run.call(`s${index}`, search).map((alert) => [index + 1, alert.title]),
    ).flat();
    expect(alerts).toEqual([
      [8, 'Budget nearly used up'],
      [11, 'Budget exceeded'],
    ]);
  });

  it('says how much of what was used', () => {
    const run = limited({ measure: 'argument_bytes', limit: 2500 });
    const alert = times(3, () => run.call('s', search))
      .flat()
      .at(-1);
    expect(alert).toMatchObject({
      severity: 'medium',
      observed: 'agent agent-1 used 2.9 KiB of budget b within 60 min',
      distance: '120 % of the budget',
      session_key: 's',
    });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('fills again as time goes by', () => {
    const run = limited({});
    times(10, () => run.call('s', search));
    run.wait(2 * 3_600_000);
    expect(times(7, () => run.call('s', search)).flat()).toEqual([]);
    expect(told(times(4, () => run.call('s', search)).flat())).toEqual([
      'Budget nearly used up',
      'Budget exceeded',
    ]);
  });

  it.each([
    ['another agent', {}, { actor: { id: 'agent-2' } }, search],
    ['another tool', { per: 'tool' }, {}, { ...search, tool: 'other' }],
  ])('is of each holder alone: %s', (_what, rule, more, other: Call) => {
    const run = limited(rule);
    times(7, () => run.call('s', search));
    expect(times(7, () => run.call('s', other, more)).flat()).toEqual([]);
  });

  it('of the tenant is of all together, and blames no session', () => {
    const run = limited({ per: 'tenant', measure: 'items', limit: 100 });
    run.call('s', search, { item_count: 60 });
    const [alert] = run.call('t', search, { item_count: 60, actor: { id: 'agent-2' } });
    expect(alert?.title).toBe('Budget exceeded');
    expect(alert?.session_key).toBeUndefined();
  });

  it('counts tokens and money of model calls, and not those that a plan sums up', () => {
    const run = limited({ measure: 'usd', limit: 1 });
    const cost = { input_tokens: 10, usd: 0.6 };
    const spend = (kind: 'model' | 'plan') => {
      const alerts = run.tell({ kind, cost, actor: { id: 'agent-1' } });
      return told(alerts);
    };
    expect(spend('model')).toEqual([]);
    expect(spend('plan')).toEqual([]);
    expect(spend('model')).toEqual(['Budget exceeded']);
  });
});

describe('spending without a budget', () => {
  const spend = (run: ReturnType<typeof start>, session: string, tokens: number) =>
    run.call(session, search, { cost: { input_tokens: tokens } });
  const teach = (run: ReturnType<typeof start>, days: number, tokens: number) =>
    times(days, (index) => {
      run.wait(dayMs);
      return [...spend(run, `day-${index}`, tokens), ...run.end(`day-${index}`)];
    }).flat();

  it('is told when a day is more than four times the last ones', () => {
    const run = start();
    expect(teach(run, 8, 100_000)).toEqual([]);
    run.wait(dayMs);
    expect(spend(run, 's', 390_000)).toEqual([]);
    const [alert, ...more] = spend(run, 's', 40_000);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      title: 'Agent spends far more than usual',
      observed: 'agent-1 spent 430000 tokens today',
      normal: 'at most about 100000 tokens a day over its last 8 days',
    });
    expect(spend(run, 's', 1_000_000)).toEqual([]);
  });

  it('is not told below the floor, nor of an agent that nobody knows', () => {
    const small = start();
    teach(small, 8, 1000);
    small.wait(dayMs);
    expect(spend(small, 's', 150_000)).toEqual([]);
    const unknown = start();
    expect(spend(unknown, 's', 5_000_000)).toEqual([]);
  });

  it('learns nothing from a session that is still open', () => {
    const run = start();
    times(8, (index) => {
      run.wait(dayMs);
      spend(run, 'one', 100_000 + index);
    });
    expect(run.engine().learning('acme')['budget']?.seen).toBeLessThan(8);
  });
});

it('keeps its state bounded under a flood of agents', () => {
  const run = limited({});
  times(3000, (index) => run.call('s', search, { actor: { id: `a${index}` }, cost: { input_tokens: 1 } }));
  expect(stateBytes(run)).toBeLessThan(700_000);
});
