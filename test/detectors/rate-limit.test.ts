import { describe, expect, it } from 'vitest';
import { rateLimit } from '../../detectors/rate-limit.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { callEvent, detectConfig, type Call } from './sessions.ts';

const start = (changes: object = {}) => only(rateLimit({ ...detectConfig().rate_limit, ...changes }));
const search: Call = { tool: 'search', server: 'wiki' };
const limited: Call = { ...search, category: 'rate_limited' };
const titles = (alerts: readonly { title: string }[]) => alerts.map(({ title }) => title);

describe('refusals by a rate limit', () => {
  it('are told at the first of an agent, and at eight within a minute', () => {
    const run = start();
    const alerts = times(8, () => run.call('s', limited)).flat();
    expect(titles(alerts)).toEqual(['First rate limit of an agent', 'Storm of rate-limit refusals']);
    expect(alerts.map(({ severity }) => severity)).toEqual(['info', 'medium']);
    expect(alerts[1]?.observed).toBe('8 refusals by rate limits in 7 s at client agent-1');
    expect(alerts[1]?.evidence).toHaveLength(8);
    expect(alertSchema.parse(alerts[1])).toEqual(alerts[1]);
  });

  it('of several agents at one tool are told of the tool, not of a session', () => {
    const run = start();
    const alerts = times(8, (index) =>
      run.call(`s${index}`, limited, { actor: { id: `agent-${index}` } }),
    ).flat();
    const storms = alerts.filter(({ severity }) => severity === 'medium');
    expect(storms.map(({ tool_name: tool, session_key: session }) => [tool, session])).toEqual([
      ['search', undefined],
    ]);
  });

  it('are no storm when they are seven, or spread over minutes', () => {
    const few = start();
    expect(titles(times(7, () => few.call('s', limited)).flat())).toEqual(['First rate limit of an agent']);
    const slow = start();
    const alerts = times(20, () => {
      slow.wait(9_000);
      return slow.call('s', limited);
    }).flat();
    expect(titles(alerts)).toEqual(['First rate limit of an agent']);
  });

  it('are not other failures', () => {
    const run = start();
    expect(times(20, () => run.call('s', { ...search, category: 'tool_error' })).flat()).toEqual([]);
  });
});

describe('a burst of calls', () => {
  const burst = (run: ReturnType<typeof start>, session: string, calls: number) => {
    run.wait(20_000 - (run.now() % 10_000));
    return times(calls, (index) =>
      run.send(callEvent('acme', session, 1000 + index, run.now() + index, search)),
    ).flat();
  };

  it('is told where sessions here are slow', () => {
    const run = start();
    times(25, (index) => [run.call(`day-${index}`, search), run.end(`day-${index}`)]);
    expect(burst(run, 'fast', 49)).toEqual([]);
    const alerts = burst(run, 'faster', 60);
    expect(titles(alerts)).toEqual(['Burst of calls']);
    expect(alerts[0]?.observed).toBe('50 calls of agent-1 within 10 s');
  });

  it('is none where sessions here are that fast', () => {
    const run = start();
    times(25, (index) => [burst(run, `day-${index}`, 40), run.end(`day-${index}`)]);
    expect(burst(run, 'as usual', 90)).toEqual([]);
  });

  it('must be larger while nothing is known', () => {
    const run = start();
    expect(burst(run, 's', 199)).toEqual([]);
    expect(burst(run, 't', 200)).toHaveLength(1);
  });
});

it('keeps its state bounded under a flood of agents', () => {
  const run = start();
  times(3000, (index) => run.call('s', limited, { actor: { id: `a${index}` } }));
  expect(stateBytes(run)).toBeLessThan(700_000);
});
