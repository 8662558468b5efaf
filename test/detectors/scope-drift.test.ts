import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, isWildcard, normalizeGrant } from '../../detectors/scope-algebra.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { by, callEvent, detectConfig, omit, runner } from './sessions.ts';

interface Grant {
  readonly grants: string[];
  readonly ttlSec?: number;
  readonly ticket?: string;
  readonly decision?: 'allow' | 'deny';
  readonly actor?: CustodyEvent['actor'];
  readonly asserted?: boolean;
}

function granting() {
  const run = runner(detectConfig({ novel_chain: { enabled: false } }));
  let count = 0;
  const grant = ({ grants, ttlSec, ticket, decision = 'allow', actor, asserted }: Grant) => {
    count += 1;
    run.wait(1000);
    const event = callEvent('acme', `s-${count}`, 0, run.now(), { tool: 'x' });
    const rest = omit(event, 'tool', 'arguments', 'result', 'phase');
    return run.send({
      ...rest,
      kind: 'auth',
      actor: actor ?? { id: 'agent-1', type: 'agent' },
      scope: { grants, ...(ttlSec === undefined ? {} : { ttl_sec: ttlSec }) },
      policy: { decision, ...(ticket === undefined ? {} : { ticket }) },
      ...(asserted === true ? { fact_sources: { 'actor.id': 'client_asserted' as const } } : {}),
    });
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
    expect(alert).toMatchObject({ severity: 'high', detector: { id: 'scope-drift', version: 1 } });
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
