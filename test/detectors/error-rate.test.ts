import { describe, expect, it } from 'vitest';
import { failureTail } from '../../detectors/counters/beta-binomial.ts';
import { errorRate } from '../../detectors/error-rate.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const start = () => only(errorRate(detectConfig().error_rate));
const search: Call = { tool: 'search', server: 'wiki' };

/** Sessions of five calls, of which one in `every` fails. */
function teach(run: ReturnType<typeof start>, sessions: number, every: number) {
  let number = 0;
  return times(sessions, (index) => {
    const alerts = times(5, () => {
      number += 1;
      return run.call(`day-${index}`, { ...search, category: number % every === 0 ? 'tool_error' : 'ok' });
    }).flat();
    return [...alerts, ...run.end(`day-${index}`)];
  }).flat();
}

describe('error-rate', () => {
  it('tells when a tool fails far more often than it used to, in several sessions', () => {
    const run = start();
    expect(teach(run, 100, 50)).toEqual([]);
    const alerts = times(20, (index) =>
      run.call(`bad-${index % 4}`, { ...search, category: index % 2 === 0 ? 'tool_error' : 'timeout' }),
    ).flat();
    const [alert] = alerts;
    expect(alerts.map(({ tool_name: tool }) => tool)).toEqual(['search', undefined]);
    expect(alert).toMatchObject({ severity: 'medium', server_name: 'wiki' });
    expect(alert?.session_key).toBeUndefined();
    expect(alert?.normal).toBe('2.0 % of 500 calls');
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('stays silent where that many failures are usual', () => {
    const run = start();
    teach(run, 100, 3);
    expect(
      times(50, (index) =>
        run.call(`s-${index % 5}`, { ...search, category: index % 3 === 0 ? 'error' : 'ok' }),
      ).flat(),
    ).toEqual([]);
  });

  it('stays silent on five failures, and on refusals and rate limits', () => {
    const run = start();
    teach(run, 100, 50);
    const alerts = [
      ...times(5, (index) => run.call(`s-${index}`, { ...search, category: 'error' })),
      ...times(30, (index) => run.call(`d-${index}`, { ...search, category: 'denied' })),
      ...times(30, (index) => run.call(`r-${index}`, { ...search, category: 'rate_limited' })),
    ];
    expect(alerts.flat()).toEqual([]);
  });

  it('leaves a short run of failures of one session to others', () => {
    const run = start();
    teach(run, 100, 50);
    const failing = (count: number) =>
      times(count, () => run.call('one', { ...search, category: 'tool_error' })).flat();
    expect(failing(10)).toEqual([]);
    expect(failing(3)).not.toEqual([]);
  });

  it('learns nothing from a session while it is open', () => {
    const run = start();
    times(300, (index) =>
      run.call(`open-${index % 3}`, { ...search, category: index % 2 === 0 ? 'error' : 'ok' }),
    );
    expect(run.engine().learning('acme')['error-rate']).toEqual({ learning: true, seen: 0 });
  });

  it('keeps its state bounded under a flood of tools, and keeps it over a restart', () => {
    const run = start();
    teach(run, 100, 50);
    times(3000, (index) => run.call('flood', { tool: `t${index}`, server: `s${index}` }));
    run.restart();
    expect(stateBytes(run)).toBeLessThan(3_000_000);
    expect(run.engine().learning('acme')['error-rate']?.seen).toBe(500);
  });
});

describe('the chance of so many failures', () => {
  it('is one for none, falls with each, and is higher while little is known', () => {
    expect(failureTail(0, 50, 0, 0)).toBe(1);
    const chances = times(12, (k) => failureTail(k, 50, 10, 500));
    expect(chances.every((chance, k) => k === 0 || chance < (chances[k - 1] ?? 0))).toBe(true);
    expect(failureTail(10, 50, 1, 50)).toBeGreaterThan(failureTail(10, 50, 20, 1000));
  });

  it('agrees with the binomial tail where the rate is known well', () => {
    // P(X >= 6), X ~ Binomial(50, 0.02) = 4.8e-4; the rate has a little uncertainty left.
    const chance = failureTail(6, 50, 20_000, 1_000_000);
    expect(chance).toBeGreaterThan(4.7e-4);
    expect(chance).toBeLessThan(4.9e-4);
  });
});
