import { describe, expect, it } from 'vitest';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { by, callEvent, detectConfig, omit, runner, uuidOf, type Call } from './sessions.ts';

const quiet = {
  novel_chain: { enabled: false },
  exfil: { enabled: false },
  loop: { enabled: false },
};
const minuteMs = 60_000;
const write: Call = { tool: 'write_note', server: 'desk', action: 'write' };

type Part = 'decision' | 'request' | 'outcome' | 'both';

/** A tenant's agents, each call told in the parts that are named. */
function traffic(changes: Record<string, unknown> = {}) {
  const run = runner(detectConfig({ ...quiet, ...changes }));
  let number = 0;
  const send = (event: CustodyEvent) => by(run.send(event), 'receipt-gap');
  const part = (session: string, id: number, part: Part, more: Partial<CustodyEvent> = {}): CustodyEvent => {
    const whole = callEvent('acme', session, id, run.now(), write);
    const event: CustodyEvent = {
      ...whole,
      event_id: uuidOf(`${session} ${id} ${part}`),
      tool: { ...whole.tool, name: 'write_note', call_id: `call-${id}` },
    };
    switch (part) {
      case 'both':
        return { ...event, ...more };
      case 'decision':
        return { ...omit(event, 'result', 'arguments', 'phase'), kind: 'policy', ...more };
      case 'request':
        return { ...omit(event, 'result', 'policy'), phase: 'request', ...more };
      case 'outcome':
        return { ...omit(event, 'policy', 'arguments'), phase: 'result', ...more };
    }
  };
  /** One call a second in a session of its own. */
  const call = (parts: readonly Part[], more: Partial<CustodyEvent> = {}, session = `s-${(number += 1)}`) => {
    number += 1;
    const id = number;
    return parts.flatMap((name) => {
      run.wait(1000);
      return send(part(session, id, name, more));
    });
  };
  return {
    run,
    call,
    usual: (count: number, parts: readonly Part[]) => Array.from({ length: count }, () => call(parts)).flat(),
    /** Time goes by, and something else happens. */
    later: (ms: number, session = 'elsewhere') => {
      run.wait(ms);
      return call(['both'], {}, session);
    },
  };
}

describe('allowed, and no outcome', () => {
  it('is told after the time in which outcomes come, of the session that was allowed', () => {
    const { usual, call, later } = traffic();
    expect(usual(25, ['decision', 'outcome'])).toEqual([]);
    expect(call(['decision'], { actor: { id: 'agent-9', user_id: 'jo' } }, 'silent')).toEqual([]);
    expect(later(14 * minuteMs)).toEqual([]);
    const [alert, ...more] = later(2 * minuteMs);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      title: 'Allowed, and no outcome seen',
      severity: 'low',
      session_key: 'silent',
      actor_id: 'agent-9',
      user_id: 'jo',
      tool_name: 'write_note',
      policy_decision: 'allow',
      observed: 'a call of write_note of desk was allowed, and no outcome came within 15 min',
      normal: '100 % of 25 allowed calls here had an outcome',
    });
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(later(60 * minuteMs)).toEqual([]);
    attack(42, 'alarm', 'receipt-gap');
  });

  it('is told of a request that carries its own decision as well', () => {
    const { usual, call, later } = traffic();
    usual(25, ['decision', 'outcome']);
    call(['request'], { policy: { decision: 'allow' } }, 'silent');
    expect(later(16 * minuteMs)).toHaveLength(1);
  });

  it('is not told where calls come whole: nothing shows that outcomes come apart', () => {
    const { usual, call, later } = traffic();
    usual(60, ['both']);
    call(['decision'], {}, 'silent');
    expect(later(16 * minuteMs)).toEqual([]);
  });

  it.each<[string, readonly Part[], Partial<CustodyEvent>]>([
    ['a denied call', ['decision'], { policy: { decision: 'deny' } }],
    ['a call that asks for approval', ['decision'], { policy: { decision: 'ask' } }],
    ['an outcome that comes in time', ['decision', 'outcome'], {}],
    ['a request without a decision', ['request'], {}],
  ])('stays silent on %s', (_what, parts, more) => {
    const { usual, call, later } = traffic();
    usual(25, ['decision', 'outcome']);
    call(parts, more, 'other');
    expect(later(16 * minuteMs)).toEqual([]);
  });

  it('stays silent when the outcome itself is the next thing that happens, however late', () => {
    const { run, usual } = traffic();
    usual(25, ['decision', 'outcome']);
    const decision = {
      ...omit(callEvent('acme', 'slow', 1, run.now(), write), 'result', 'phase'),
      kind: 'policy' as const,
      tool: { name: 'write_note', call_id: 'slow' },
    };
    run.send(decision);
    run.wait(20 * minuteMs);
    const outcome = {
      ...omit(callEvent('acme', 'slow', 2, run.now(), write), 'policy'),
      phase: 'result' as const,
      tool: { name: 'write_note', call_id: 'slow' },
    };
    expect(by(run.send(outcome), 'receipt-gap')).toEqual([]);
    run.wait(20 * minuteMs);
    expect(by(run.send(callEvent('acme', 'x', 3, run.now(), write)), 'receipt-gap')).toEqual([]);
    twin(42, 'alarm');
  });
});

describe('executed, and no decision', () => {
  it('is told where every call had a decision', () => {
    const { usual, call, later } = traffic();
    expect(usual(25, ['both'])).toEqual([]);
    expect(call(['request', 'outcome'], {}, 'bypass')).toEqual([]);
    const [alert, ...more] = later(16 * minuteMs);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      title: 'Executed, and no decision seen',
      severity: 'medium',
      session_key: 'bypass',
      observed: 'a call of write_note of desk was executed, and no policy decision came within 15 min',
    });
    expect(alert).not.toHaveProperty('policy_decision');
    attack(42, 'alarm', 'receipt-gap');
  });

  it('leaves the session in which time went by unsuspected', () => {
    const { run, usual, call, later } = traffic();
    usual(25, ['both']);
    call(['outcome'], {}, 'bypass');
    // By then the session of the call is closed: nobody else is suspected for it.
    expect(later(40 * minuteMs, 'innocent')).toHaveLength(1);
    expect(run.engine().stats().quarantinedSessions).toBe(0);
  });

  it('is not told in the first calls, nor of a tenant or server whose decisions nobody sees', () => {
    const young = traffic();
    young.usual(18, ['both']);
    young.call(['outcome']);
    expect(young.later(16 * minuteMs)).toEqual([]);
    const blind = traffic();
    expect(blind.usual(60, ['request', 'outcome'])).toEqual([]);
    expect(blind.later(16 * minuteMs)).toEqual([]);
    const other = traffic();
    other.usual(25, ['both']);
    other.call(['outcome'], { server: { name: 'elsewhere' } });
    expect(other.later(16 * minuteMs)).toEqual([]);
  });

  it.each<[string, readonly Part[], Partial<CustodyEvent>]>([
    ['a decision that comes after the call', ['outcome', 'decision'], {}],
    ['a decision that comes before the call', ['decision', 'request', 'outcome'], {}],
    ['a call that failed before the tool ran', ['outcome'], { result: { category: 'error' } }],
    ['a call that was denied', ['outcome'], { result: { category: 'denied' } }],
    ['a call that was cancelled', ['outcome'], { result: { category: 'cancelled' } }],
  ])('stays silent on %s', (_what, parts, more) => {
    const { usual, call, later } = traffic();
    usual(25, ['both']);
    call(parts, more, 'other');
    expect(later(16 * minuteMs)).toEqual([]);
  });

  it('counts a call once that several observers tell of', () => {
    const { run, usual, later } = traffic();
    usual(25, ['both']);
    const trace = { trace_id: 'ab'.repeat(16), span_id: 'cd'.repeat(8) };
    const seen = (vantage: 'client' | 'server', policy: boolean): CustodyEvent => {
      const event = { ...callEvent('acme', 'both', vantage === 'client' ? 1 : 2, run.now(), write), trace };
      const from = { ...event, source: { ...event.source, vantage } };
      return policy ? from : omit(from, 'policy');
    };
    run.send(seen('client', false));
    run.send(seen('server', true));
    expect(later(16 * minuteMs)).toEqual([]);
  });

  it('is told a few times and becomes a habit when decisions are no longer sent', () => {
    const { usual, later } = traffic();
    usual(100, ['both']);
    const alerts = [
      ...usual(60, ['outcome']),
      ...later(16 * minuteMs),
      ...usual(200, ['outcome']),
      ...later(16 * minuteMs),
    ];
    expect(alerts.length).toBeGreaterThan(3);
    expect(alerts.length).toBeLessThan(10);
  });
});

describe('both', () => {
  it('give the same alerts after a restart from a snapshot', () => {
    const alerts = [false, true].map((restarts) => {
      const { run, usual, call, later } = traffic();
      usual(25, ['decision', 'outcome']);
      call(['decision'], {}, 'silent');
      call(['outcome'], {}, 'bypass');
      if (restarts) run.restart();
      return later(16 * minuteMs);
    });
    expect(alerts[0]).toHaveLength(2);
    expect(alerts[1]).toEqual(alerts[0]);
  });

  it("are judged on the log's time: events that come late from a spool are not overdue at once", () => {
    const { run, usual } = traffic();
    usual(25, ['decision', 'outcome']);
    const old = run.now() - 10 * 60 * minuteMs;
    const decision = {
      ...omit(callEvent('acme', 'spooled', 1, old, write), 'result', 'phase'),
      kind: 'policy' as const,
      tool: { name: 'write_note', call_id: 'late' },
    };
    const outcome = {
      ...omit(callEvent('acme', 'spooled', 2, old + 1000, write), 'policy'),
      phase: 'result' as const,
      tool: { name: 'write_note', call_id: 'late' },
    };
    const between = callEvent('acme', 'x', 3, run.now(), write);
    const alerts = [decision, between, outcome].flatMap((event) => run.send(event, run.now()));
    run.wait(16 * minuteMs);
    alerts.push(...run.send(callEvent('acme', 'y', 4, run.now(), write)));
    expect(by(alerts, 'receipt-gap')).toEqual([]);
  });

  it('hold bounded state however many calls wait', () => {
    const { run, usual } = traffic();
    usual(25, ['decision', 'outcome']);
    const sizes = [2000, 4000].map((count) => {
      usual(count, ['decision']);
      const tenant = [...run.engine().snapshot()].find(({ name }) => name === 'tenant/acme');
      return tenant?.value?.length ?? 0;
    });
    expect(sizes[1]! / sizes[0]!).toBeLessThan(1.1);
  });
});
