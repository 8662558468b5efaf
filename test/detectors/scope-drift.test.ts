import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scopeDrift } from '../../detectors/scope-drift.ts';
import { covers, isWildcard, normalizeGrant } from '../../detectors/scope-algebra.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { by, callEvent, detectConfig, hex, omit, runner, uuidOf, type Call } from './sessions.ts';
import { keyOf, sizeOf, watching } from './watching.ts';

interface Grant {
  readonly grants: string[];
  readonly ttlSec?: number;
  readonly ticket?: string;
  readonly decision?: 'allow' | 'deny';
  readonly actor?: CustodyEvent['actor'];
  readonly asserted?: boolean;
}

const endOf = (key: string) => ({ ...keyOf(key), transition: 'end' as const });

function granting() {
  const config = detectConfig();
  const run = runner(config, { detectors: [scopeDrift(config.scope_drift)] });
  let count = 0;
  const grant = ({ grants, ttlSec, ticket, decision = 'allow', actor, asserted }: Grant) => {
    count += 1;
    run.wait(1000);
    const event = callEvent('acme', `s-${count}`, 0, run.now(), { tool: 'x' });
    const rest = omit(event, 'tool', 'arguments', 'result', 'phase');
    const alerts = run.send({
      ...rest,
      kind: 'auth',
      actor: actor ?? { id: 'agent-1', type: 'agent' },
      scope: { grants, ...(ttlSec === undefined ? {} : { ttl_sec: ttlSec }) },
      policy: { decision, ...(ticket === undefined ? {} : { ticket }) },
      ...(asserted === true ? { fact_sources: { 'actor.id': 'client_asserted' as const } } : {}),
    });
    run.send({ ...rest, event_id: uuidOf(`end ${count}`), kind: 'session', session: endOf(`s-${count}`) });
    return alerts;
  };
  const settle = () => {
    for (let day = 0; day < 25; day += 1) grant({ grants: ['read:tickets', 'write:tickets'], ttlSec: 600 });
  };
  return { run, grant, settle };
}

describe('scope drift', () => {
  it('alerts on a broader grant without a change ticket', () => {
    const { grant, settle } = granting();
    settle();
    const [alert] = grant({ grants: ['write:*'], ttlSec: 600 });
    expect(alert).toMatchObject({ severity: 'high', detector: { id: 'scope-drift', version: 3 } });
    expect(alert?.distance).toContain('covers write:tickets');
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts on a new write grant and keeps a new read grant low', () => {
    const { grant, settle } = granting();
    settle();
    expect(grant({ grants: ['write:billing'] }).map(({ severity }) => severity)).toEqual(['medium']);
    expect(grant({ grants: ['read:billing'] }).map(({ severity }) => severity)).toEqual(['low']);
  });

  it('alerts on an allowed write:* that lives longer than the limit, even with a ticket', () => {
    const { grant } = granting();
    const alerts = grant({ grants: ['write:*'], ttlSec: 3600, ticket: 'CHG-1' });
    expect(alerts.map(({ title }) => title)).toEqual(['Long-lived write access to everything for an agent']);
    expect(alerts[0]?.reason).toContain('CHG-1');
  });

  it('tells once of one grant that lives too long and that nobody held', () => {
    const { grant } = granting();
    const [alert, ...more] = grant({ grants: ['write:*'], ttlSec: 901 });
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      severity: 'high',
      title: 'Long-lived write access to everything for an agent',
    });
    expect(alert?.reason).toMatch(/allowed write:\* for 901 s without .*; the limit is 900 s\./);
    expect(alert?.reason).toContain('a wildcard this actor did not hold; no grants before.');
    expect(alert?.observed).toContain('wildcard grant write:*');
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('tells what the actor held before where write:* lives too long', () => {
    const { grant, settle } = granting();
    settle();
    const alerts = grant({ grants: ['write:*', 'read:tickets'], ttlSec: 901 });
    expect(alerts).toHaveLength(1);
    expect(alerts[0]?.reason).toContain('before: read:tickets, write:tickets');
    expect(alerts[0]?.distance).toContain('covers write:tickets');
  });

  it('tells of every other grant of the event on its own', () => {
    const titles = granting()
      .grant({ grants: ['repo:*', 'write:*'], ttlSec: 901 })
      .map(({ title }) => title);
    expect(titles).toEqual([
      'Wildcard grant without change ticket',
      'Long-lived write access to everything for an agent',
    ]);
  });

  it('tells again that a grant lives too long when it is known already that nobody held it', () => {
    const { run, grant } = granting();
    expect(grant({ grants: ['write:*'], ttlSec: 600 })).toHaveLength(1);
    run.wait(60_000);
    expect(grant({ grants: ['write:*'], ttlSec: 901 }).map(({ title }) => title)).toEqual([
      'Long-lived write access to everything for an agent',
    ]);
  });

  it('alerts on a wildcard as the very first grant', () => {
    expect(granting().grant({ grants: ['repo:*'] })).toHaveLength(1);
  });

  it('names an actor id that only the client asserts, and gives it a baseline of its own', () => {
    const { grant, settle } = granting();
    settle();
    for (let day = 0; day < 3; day += 1) grant({ grants: ['read:tickets'], asserted: true });
    const [alert] = grant({ grants: ['write:tickets'], asserted: true });
    expect(alert?.reason).toContain('only the client asserts');
  });

  it.each<[string, Grant]>([
    ['the usual grants', { grants: ['read:tickets'] }],
    ['a narrower grant', { grants: ['write:tickets:comments'] }],
    ['a broader grant with a ticket', { grants: ['write:*'], ticket: 'CHG-7' }],
    ['a refused grant', { grants: ['write:*'], decision: 'deny' }],
    ['write:* for a human', { grants: ['read:tickets'], ttlSec: 9999, actor: { id: 'eve', type: 'human' } }],
    ['write:tickets for long, which is not write:*', { grants: ['write:tickets'], ttlSec: 9999 }],
    [
      'the first grants of a new agent when others hold them',
      { grants: ['write:tickets'], actor: { id: 'agent-9', type: 'agent' } },
    ],
  ])('stays silent on %s', (_name, grant) => {
    const { grant: send, settle } = granting();
    settle();
    expect(send(grant)).toEqual([]);
  });

  it('stays silent on write:* of exactly 900 seconds once it is held with a ticket', () => {
    const { grant } = granting();
    grant({ grants: ['write:*'], ticket: 'CHG-1', ttlSec: 900 });
    expect(grant({ grants: ['write:*'], ttlSec: 900 })).toEqual([]);
  });

  it('uses the ticket of a policy event in the same trace', () => {
    const { run, settle } = granting();
    settle();
    const trace = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    const base = callEvent('acme', 'joined', 0, run.now(), { tool: 'x' });
    const rest = omit(base, 'tool', 'arguments', 'result', 'policy');
    run.send({ ...rest, kind: 'policy', trace, policy: { decision: 'allow', ticket: 'CHG-3' } });
    const grant = {
      ...rest,
      kind: 'auth' as const,
      trace,
      event_id: callEvent('acme', 'joined', 1, 0, { tool: 'x' }).event_id,
    };
    expect(run.send({ ...grant, scope: { grants: ['write:*'], ttl_sec: 60 } })).toEqual([]);
  });

  it('is not taught by a grant it alerted on, and repeats the alarm a day later', () => {
    const { run, grant, settle } = granting();
    settle();
    expect(grant({ grants: ['write:billing'] })).toHaveLength(1);
    expect(grant({ grants: ['write:billing'] })).toEqual([]);
    run.wait(25 * 3_600_000);
    expect(by(grant({ grants: ['write:billing'] }), 'scope-drift')).toHaveLength(1);
  });
});

const only = (registry?: object) => watching(scopeDrift(detectConfig().scope_drift), registry);
const nothing: Call = { tool: 'x' };
const holding = (...grants: string[]): Partial<CustodyEvent> => ({ scope: { grants } });

describe('what scope drift learns', () => {
  it('is nothing of a session that is still open, and all of it when it closes without alarm', () => {
    const { call, end, history } = only();
    history(22, [nothing], holding('read:tickets'));
    const agent = { actor: { id: 'agent-2', type: 'agent' as const } };
    call('open', nothing, { ...agent, ...holding('read:wiki') });
    expect(call('other', nothing, { ...agent, ...holding('read:wiki') })).toEqual([]);
    end('open');
    expect(call('next', nothing, { ...agent, ...holding('read:wiki') })).toEqual([]);
    expect(call('next', nothing, { ...agent, ...holding('write:wiki') })).toHaveLength(1);
  });

  it('is a grant it alerted on once somebody says it was fine', () => {
    const { run, call, end, history, judge } = only();
    history(22, [nothing], holding('read:tickets'));
    const [alert] = call('s', nothing, holding('read:tickets', 'write:billing'));
    expect(alert).toMatchObject({ severity: 'medium' });
    end('s');
    judge(alert?.incident_id ?? '', 'true_positive');
    run.wait(25 * 3_600_000);
    const [again] = call('t', nothing, holding('write:billing'));
    expect(again).toMatchObject({ severity: 'medium' });
    end('t');
    judge(again?.incident_id ?? '', 'benign_true_positive');
    run.wait(25 * 3_600_000);
    expect(call('u', nothing, holding('write:billing'))).toEqual([]);
  });

  it('stays small in a flood of made-up actors and grants', () => {
    const detector = scopeDrift(detectConfig().scope_drift);
    const tenant = detector.newTenantState('acme');
    const watch = watching({ ...detector, newTenantState: () => tenant });
    for (let index = 0; index < 2600; index += 1)
      watch.history(1, [nothing], {
        actor: { id: `a-${index}` },
        ...holding(`read:${index}`, `write:${index}`),
      });
    expect(tenant.actors.size).toBeLessThanOrEqual(2048);
    expect(sizeOf(tenant)).toBeLessThan(10_000);
  });

  it('is the same after a restart in the middle of the history', () => {
    const [whole, broken] = [only(), only()];
    const [one, other] = [whole, broken].map(({ run, call, history }, index) => {
      history(12, [nothing], holding('read:tickets'));
      if (index === 1) run.restart();
      history(12, [nothing], holding('read:tickets'));
      return call('s', nothing, holding('write:tickets'));
    });
    expect(one).toHaveLength(1);
    expect(other).toEqual(one);
  });
});

describe('grants and the registry', () => {
  const registry = { agents: [{ id: 'agent-*', grants: ['read:*', 'write:tickets'] }] };

  it('a registered grant is silent, however new', () => {
    const { call, history } = only(registry);
    history(22, [nothing], holding('read:tickets'));
    expect(call('s', nothing, holding('read:billing', 'write:tickets'))).toEqual([]);
  });

  it('a grant beyond the registered ones is told from the first session on', () => {
    expect(only(registry).call('s', nothing, holding('write:billing'))).toMatchObject([
      { title: 'Grant the registry does not list', severity: 'high' },
    ]);
  });

  it('a ticket counts only if it is registered, valid and for this agent', () => {
    const startMs = Date.UTC(2026, 0, 1);
    const tickets = [
      { id: 'CHG-1' },
      { id: 'CHG-2', until: new Date(startMs).toISOString() },
      { id: 'CHG-3', agents: ['other-*'] },
    ];
    const told = ['CHG-1', 'CHG-2', 'CHG-3', 'CHG-4'].map((id) => {
      const { call, history } = only({ tickets });
      history(22, [nothing], holding('read:tickets'));
      return call('s', nothing, { ...holding('write:*'), policy: { decision: 'allow', ticket: id } });
    });
    expect(told.map(({ length }) => length)).toEqual([0, 1, 1, 1]);
    expect(told[3]?.[0]?.reason).toContain('not registered or not valid');
    expect(told[2]?.[0]?.reason).toContain('for another agent');
  });
});

describe('scope that grows because servers ask for it', () => {
  const challenge: Partial<CustodyEvent> = { result: { category: 'denied', code: 'insufficient_scope' } };

  function stepping(steps: number, policy: CustodyEvent['policy'] = { decision: 'allow' }) {
    const { call, bare, history } = only();
    history(22, [nothing], holding('read:tickets'));
    const grants = ['read:tickets'];
    return Array.from({ length: steps }, (_, step) => {
      call('s', nothing, challenge);
      grants.push(`write:area-${step}`);
      return bare('s', {
        scope: { grants: [...grants] },
        policy,
        trace: { trace_id: hex(`${step}`).slice(0, 32) },
      });
    });
  }

  it('is low for one step, with the request for it as evidence', () => {
    const [[alert, ...more] = []] = stepping(1);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ severity: 'low' });
    expect(alert?.reason).toContain('insufficient_scope');
    expect(alert?.evidence).toHaveLength(2);
  });

  it('is medium at the third step in one session', () => {
    const titles = stepping(3).map((alerts) => alerts.map(({ title, severity }) => `${title}: ${severity}`));
    expect(titles[1]).not.toContain('Scope grows step by step: medium');
    expect(titles[2]).toContain('Scope grows step by step: medium');
  });

  it('is silent with a ticket', () =>
    expect(stepping(4, { decision: 'allow', ticket: 'CHG-1' }).flat()).toEqual([]));
});

describe('scope algebra', () => {
  it.each([
    ['*', 'anything:at:all'],
    ['admin', 'write:*'],
    ['write:*', 'write:tickets'],
    ['a:b:*', 'a:b:c:d'],
    ['a:*:c', 'a:x:c'],
    ['repo', 'repo:status'],
    ['tickets.*', 'tickets.read'],
  ])('%s covers %s and not the other way round', (broad, narrow) => {
    expect(covers(broad, narrow)).toBe(true);
    expect(covers(narrow, broad)).toBe(false);
  });

  it.each([
    ['write:tickets', 'write:*'],
    ['read:*', 'write:x'],
    ['a:b', 'a'],
    ['repo', 'repository'],
  ])('%s does not cover %s', (broad, narrow) => expect(covers(broad, narrow)).toBe(false));

  it('is reflexive and transitive', () => {
    const segment = fc.constantFrom('a', 'b', '*', 'a*', 'ab');
    const grant = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(':'));
    fc.assert(
      fc.property(grant, grant, grant, (one, two, three) => {
        expect(covers(one, one)).toBe(true);
        if (covers(one, two) && covers(two, three)) expect(covers(one, three)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('knows wildcards whatever their case', () => {
    expect(['write:*', ' ADMIN ', '*', 'x:y:*'].map((grant) => isWildcard(normalizeGrant(grant)))).toEqual(
      Array(4).fill(true),
    );
    expect(isWildcard('write:tickets')).toBe(false);
  });
});
