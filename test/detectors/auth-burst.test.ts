import { describe, expect, it } from 'vitest';
import { authBurst } from '../../detectors/auth-burst.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { sizeOf, watching } from './watching.ts';
import { detectConfig, hex } from './sessions.ts';

const config = detectConfig().auth_burst;

interface Login {
  readonly who?: string;
  readonly from?: string;
  readonly ok?: boolean;
  readonly token?: string;
  readonly more?: Partial<CustodyEvent>;
}

function logins() {
  const watch = watching(authBurst(config));
  let count = 0;
  const login = ({ who = 'agent-1', from, ok = false, token, more }: Login = {}) => {
    count += 1;
    return watch.bare(`login-${count}`, {
      actor: { id: who, type: 'agent' },
      ...(from === undefined ? {} : { client: { address: from } }),
      result: ok ? { category: 'ok' } : { category: 'denied', code: '401' },
      ...(token === undefined ? {} : { scope: { token_digest: hex(token) } }),
      ...more,
    });
  };
  const times = (number: number, what: Login) => Array.from({ length: number }, () => login(what)).flat();
  return { ...watch, login, times };
}

describe('a burst of refused logins', () => {
  it('is told at the fifth within a few seconds, with those before it as evidence', () => {
    const { times } = logins();
    expect(times(4, {})).toEqual([]);
    const [alert, ...more] = times(1, {});
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      detector: { id: 'auth-burst', version: 1 },
      severity: 'medium',
      observed: '5 refused logins in 4 s of agent-1',
      actor_id: 'agent-1',
    });
    expect(alert?.evidence).toHaveLength(5);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('is told once in five minutes, and again after them', () => {
    const { run, times } = logins();
    expect(times(30, {})).toHaveLength(1);
    run.wait(5 * 60_000);
    expect(times(5, {})).toHaveLength(1);
  });

  it('is told of a source that tries one name after the other, each only once', () => {
    const { login } = logins();
    const alerts = Array.from({ length: 6 }, (_, index) =>
      login({ who: `user-${index}`, from: '203.0.113.9' }),
    );
    expect(alerts.flat()).toHaveLength(1);
    expect(alerts.flat()[0]).toMatchObject({ title: 'Refused logins of several names from one source' });
    expect(alerts.flat()[0]?.reason).toContain('5 different names');
  });

  it('becomes high when somebody gets in', () => {
    const { times, login } = logins();
    times(6, { from: '203.0.113.9' });
    const [alert] = login({ ok: true, from: '203.0.113.9' });
    expect(alert).toMatchObject({ severity: 'high', title: 'Access after a burst of refused logins' });
    expect(login({ ok: true, from: '203.0.113.9' })).toEqual([]);
  });

  it('becomes high when the entry is a tool call of the same principal', () => {
    const { times, call } = logins();
    times(6, {});
    expect(call('in', { tool: 'read' }).map(({ severity }) => severity)).toEqual(['high']);
  });

  it('counts tool calls that a server answers with 401', () => {
    const { call } = logins();
    const alerts = Array.from({ length: 5 }, (_, index) =>
      call(`s-${index}`, { tool: 'read' }, { result: { category: 'denied', code: '401' } }),
    );
    expect(alerts.flat()).toHaveLength(1);
  });

  it('is the same after a restart in the middle of it', () => {
    const whole = logins();
    const broken = logins();
    const first = [whole, broken].map(({ times }) => times(3, {}));
    broken.run.restart();
    const second = [whole, broken].map(({ times }) => times(3, {}));
    expect(second[1]).toEqual(second[0]);
    expect(second[0]).toHaveLength(1);
    expect(first.flat()).toEqual([]);
  });
});

describe('no burst', () => {
  it('four refused logins, or one in half a minute for an hour', () => {
    const { run, times, login } = logins();
    expect(times(4, {})).toEqual([]);
    run.wait(600_000);
    for (let minute = 0; minute < 120; minute += 1) {
      run.wait(29_000);
      expect(login()).toEqual([]);
    }
  });

  it.each<[string, Login['more']]>([
    ['missing permissions', { result: { category: 'denied', code: '403' } }],
    ['a request for more scope', { result: { category: 'denied', code: 'insufficient_scope' } }],
    [
      'grants that policy refuses',
      { result: {}, scope: { grants: ['write:*'] }, policy: { decision: 'deny' } },
    ],
    ['logins nobody has answered', { result: {} }],
  ])('%s', (_what, more = {}) => {
    const { times } = logins();
    expect(times(20, { more })).toEqual([]);
  });

  it('a login and a call that tell of the same refusal', () => {
    const { login, call } = logins();
    for (let index = 0; index < 4; index += 1) {
      const trace = { trace_id: hex(`trace ${index}`).slice(0, 32) };
      expect(login({ more: { trace } })).toEqual([]);
      expect(
        call(`s-${index}`, { tool: 'read' }, { trace, result: { category: 'denied', code: '401' } }),
      ).toEqual([]);
    }
  });

  it('one expired token tried again and again is low, and renewing it is no entry', () => {
    const { times, login } = logins();
    expect(times(8, { token: 'old' }).map(({ severity }) => severity)).toEqual(['low']);
    expect(login({ ok: true, token: 'new' })).toEqual([]);
  });
});

describe('a flood of made-up names', () => {
  it('grows no state without end', () => {
    const detector = authBurst(config);
    const tenant = detector.newTenantState('acme');
    const watch = watching({ ...detector, newTenantState: () => tenant });
    for (let index = 0; index < 3000; index += 1)
      watch.bare(`s-${index % 7}`, {
        actor: { id: `made-up-${index}` },
        client: { address: `198.51.${index >> 8}.${index & 255}` },
        result: { category: 'denied', code: '401' },
      });
    expect(sizeOf(tenant)).toBeLessThan(12_000);
    expect(tenant.principals.size).toBe(256);
  });
});

it('counts the names a source tried in this burst only', () => {
  const { run, login } = logins();
  login({ who: 'old-name', from: '203.0.113.9' });
  run.wait(3_600_000);
  const alerts = Array.from({ length: 5 }, () => login({ who: 'new-name', from: '203.0.113.9' }));
  expect(alerts.flat()).toMatchObject([
    { title: 'Burst of refused logins', observed: '5 refused logins in 4 s of new-name' },
  ]);
});
