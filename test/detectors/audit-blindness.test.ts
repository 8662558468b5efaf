import { describe, expect, it } from 'vitest';
import { auditBlindness } from '../../detectors/audit-blindness.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const start = () => only(auditBlindness(detectConfig().audit_blindness));
type Run = ReturnType<typeof start>;
const minuteMs = 60_000;
const search: Call = { tool: 'search', server: 'wiki' };
const told = (alerts: readonly { title: string; severity: string }[]) =>
  alerts.map(({ title, severity }) => `${severity} ${title}`);
const source = (more: Partial<CustodyEvent['source']>): Partial<CustodyEvent> => ({
  source: { collector: 'otlp_http', signal: 'span', dialect: 'test', vantage: 'client', ...more },
});
const tap = (sequence: number) =>
  source({
    collector: 'mcp_stdio_tap',
    signal: 'mcp',
    dialect: 'mcp_jsonrpc',
    vantage: 'tap',
    sequence: String(sequence),
  });

describe('sequence numbers', () => {
  const send = (run: Run, numbers: readonly number[]) =>
    numbers.flatMap((number) => run.call(`s${number % 3}`, search, tap(number)));
  const later = (run: Run) => {
    run.wait(2 * minuteMs);
    return run.call('later', search);
  };

  it('that stay away are told after a minute, with the records around them', () => {
    const run = start();
    expect(send(run, [0, 1, 2, 3, 7, 8])).toEqual([]);
    const [alert, ...more] = later(run);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Records missing in a source', severity: 'medium' });
    expect(alert?.observed).toContain('numbers 4 to 6 (3 records)');
    expect(alert?.evidence).toHaveLength(3);
    expect(alert?.session_key).toBeUndefined();
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(later(run)).toEqual([]);
  });

  it('that only come late are not told', () => {
    const run = start();
    send(run, [0, 1, 2, 5, 6, 4, 3]);
    expect(later(run)).toEqual([]);
  });

  it('of a source with few records are not told, nor of one without numbers', () => {
    const run = start();
    times(5, (index) => run.call('s', search, source({ sequence: String(index) })));
    run.call('s', search, source({ sequence: '9' }));
    expect(later(run)).toEqual([]);
  });

  it('may be anything', () => {
    const run = start();
    for (const sequence of ['18446744073709551615', '99999999999999999999', '0', '9007199254740991', '1'])
      run.call('s', search, source({ sequence }));
    expect(later(run)).toEqual([]);
  });
});

describe('a source', () => {
  const gateway = source({
    collector: 'audit_http',
    signal: 'audit',
    dialect: 'gateway',
    vantage: 'gateway',
  });
  const rounds = (run: Run, count: number, more: readonly Partial<CustodyEvent>[]) =>
    times(count, (index) => {
      run.wait(20_000);
      return more.flatMap((facts, place) => run.call(`s${Math.floor(index / 20)}-${place}`, search, facts));
    }).flat();

  it('that stops while others go on is told', () => {
    const run = start();
    expect(rounds(run, 250, [{}, gateway])).toEqual([]);
    expect(told(rounds(run, 100, [{}]))).toEqual(['medium Source silent while others go on']);
  });

  it('that stops with all others is not', () => {
    const run = start();
    rounds(run, 250, [{}, gateway]);
    run.wait(12 * 60 * minuteMs);
    expect(rounds(run, 10, [{}])).toEqual([]);
  });
});

describe('clocks', () => {
  const skewed = (run: Run, count: number, offsetMs: (index: number) => number) =>
    times(count, (index) =>
      run.call(`s${index}`, {
        ...search,
        change: (event) => ({
          ...event,
          observed_time_unix_nano: `${Number(event.time_unix_nano.slice(0, -6)) + offsetMs(index)}000000`,
        }),
      }),
    ).flat();

  it.each([
    ['ahead', -6 * minuteMs, ['medium Clock of a source is ahead']],
    ['behind', 10 * minuteMs, ['low Clock of a source is behind']],
  ])('that are %s are told', (_what, offsetMs, expected) => {
    expect(told(skewed(start(), 15, () => offsetMs))).toEqual(expected);
  });

  it.each<[string, (index: number) => number]>([
    ['four minutes', () => 4 * minuteMs],
    ['records that were held up and now drain', (index) => 30 * minuteMs - 10_000 * index],
    ['imported history', () => 90 * 24 * 60 * minuteMs],
    ['nine wrong records', (index) => (index < 9 ? -minuteMs * 60 : 0)],
  ])('are not told: %s', (_what, offsetMs) => {
    expect(skewed(start(), 20, offsetMs)).toEqual([]);
  });
});

describe('attribution', () => {
  const named: Partial<CustodyEvent> = { actor: { id: 'agent-1', user_id: 'jo' } };
  const teach = (run: Run, share: number) =>
    times(30, (index) => {
      const alerts = times(5, (part) =>
        run.call(`day-${index}`, search, part < share ? named : { actor: { id: 'agent-1' } }),
      );
      return [...alerts.flat(), ...run.end(`day-${index}`)];
    }).flat();

  it('that falls by 30 points is told once', () => {
    const run = start();
    expect(teach(run, 5)).toEqual([]);
    const alerts = times(100, () => run.call('s', search)).flat();
    expect(told(alerts)).toEqual(['medium Calls name agent and user less and less']);
    expect(alerts[0]?.normal).toBe('100 % of 150 calls do');
  });

  it('that was never there, or falls a little, is not', () => {
    const never = start();
    teach(never, 0);
    expect(times(100, () => never.call('s', search)).flat()).toEqual([]);
    const little = start();
    teach(little, 5);
    expect(times(100, (index) => little.call('s', search, index % 5 === 0 ? {} : named)).flat()).toEqual([]);
  });
});

describe('sampling', () => {
  it('that leaves out more than it did is told', () => {
    const run = start();
    times(30, (index) => [
      ...times(5, () => run.call(`day-${index}`, search, source({ sampled: true }))),
      run.end(`day-${index}`),
    ]);
    const alerts = times(80, () => run.call('s', search, source({ sampled: false }))).flat();
    expect(told(alerts)).toEqual(['low Sampling leaves out audit data']);
  });
});

describe('a call that only the agent tells of', () => {
  const trace = (id: number) => ({
    trace_id: id.toString(16).padStart(32, '1'),
    span_id: id.toString(16).padStart(16, '2'),
  });
  let id = 0;
  const call = (run: Run, session: string, vantages: readonly ('client' | 'gateway')[]) => {
    id += 1;
    const seen = trace(id);
    return vantages.flatMap((vantage) =>
      run.call(session, search, { ...source({ vantage, dialect: vantage }), trace: seen }),
    );
  };
  const teach = (run: Run, vantages: readonly ('client' | 'gateway')[]) =>
    times(30, (index) => [
      ...times(5, () => call(run, `day-${index}`, vantages)).flat(),
      ...run.end(`day-${index}`),
    ]).flat();
  const later = (run: Run) => {
    run.wait(16 * minuteMs);
    return call(run, 'later', ['client', 'gateway']);
  };

  it('is told where a gateway tells of all others, of the session that made it', () => {
    const run = start();
    expect(teach(run, ['client', 'gateway'])).toEqual([]);
    expect(call(run, 'bypass', ['client'])).toEqual([]);
    const [alert, ...more] = later(run);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      title: 'Call past what records calls',
      severity: 'medium',
      session_key: 'bypass',
      server_name: 'wiki',
      tool_name: 'search',
    });
  });

  it('is not told where that is the habit, nor when the gateway tells later', () => {
    const alone = start();
    teach(alone, ['client']);
    call(alone, 's', ['client']);
    expect(later(alone)).toEqual([]);
    const late = start();
    teach(late, ['client', 'gateway']);
    const seen = trace(90_000);
    late.call('s', search, { ...source({ vantage: 'client', dialect: 'client' }), trace: seen });
    late.wait(10 * minuteMs);
    late.call('s', search, { ...source({ vantage: 'gateway', dialect: 'gateway' }), trace: seen });
    expect(later(late)).toEqual([]);
  });

  it('does not teach that calls go past the gateway, and is known after a restart', () => {
    const run = start();
    teach(run, ['client', 'gateway']);
    run.restart();
    const alerts = times(20, (index) => {
      call(run, `bypass-${index}`, ['client']);
      return later(run);
    }).flat();
    expect(alerts).toHaveLength(20);
  });
});

it('keeps its state bounded under a flood of sources', () => {
  const run = start();
  times(1500, (index) =>
    run.call(
      `s${index}`,
      { tool: 't', server: `srv${index}` },
      {
        ...source({ sequence: String(index * 7), dialect: `d${index}` }),
        actor: { id: 'a', runtime_id: `r${index}` },
      },
    ),
  );
  run.restart();
  expect(stateBytes(run)).toBeLessThan(3_000_000);
});
