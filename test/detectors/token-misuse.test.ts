import { describe, expect, it } from 'vitest';
import { tokenMisuse } from '../../detectors/token-misuse.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { sizeOf, watching } from './watching.ts';
import { detectConfig, hex, type Call } from './sessions.ts';

const config = detectConfig().token_misuse;
const start = (registry?: object) => watching(tokenMisuse(config), registry);
const read: Call = { tool: 'read', server: 'files' };
const token = (name: string, more: CustodyEvent['scope'] = {}): Partial<CustodyEvent> => ({
  scope: { token_digest: hex(name), ...more },
});
const agent = (id: string): Partial<CustodyEvent> => ({ actor: { id, type: 'agent' } });

describe('one token', () => {
  it.each<[string, Partial<CustodyEvent>, Partial<CustodyEvent>, string, string]>([
    ['of two actors', agent('a-1'), agent('a-2'), 'One token, two actors', 'high'],
    [
      'of two clients',
      { client: { name: 'ide' } },
      { client: { name: 'curl' } },
      'One token, two clients',
      'medium',
    ],
    [
      'in two environments',
      { environment: 'dev' },
      { environment: 'prod' },
      'One token, two environments',
      'high',
    ],
  ])('%s is told once', (_what, first, second, title, severity) => {
    const { call } = start();
    expect(call('s', read, { ...token('t'), ...first })).toEqual([]);
    const [alert, ...others] = call('t', read, { ...token('t'), ...second });
    expect(others).toEqual([]);
    expect(alert).toMatchObject({ title, severity });
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(alert?.reason).not.toContain(hex('t').slice(0, 20));
    expect(call('u', read, { ...token('t'), ...second })).toEqual([]);
  });

  it('of single use is told the second time, and one call told twice is one use', () => {
    const { call } = start();
    const once = token('t', { credential_class: 'one-time' });
    const trace = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    expect(call('s', read, { ...once, trace })).toEqual([]);
    const server = {
      source: {
        collector: 'otlp_http' as const,
        signal: 'span' as const,
        dialect: 'test',
        vantage: 'server' as const,
      },
    };
    expect(call('s', read, { ...once, ...server, trace })).toEqual([]);
    const login = { ...once, kind: 'auth' as const, tool: {}, result: { category: 'ok' as const } };
    expect(
      call('s', read, { ...login, ...server, source: { ...server.source, vantage: 'gateway' } }),
    ).toEqual([]);
    expect(call('s', read, once)).toMatchObject([{ title: 'Single-use token used twice', severity: 'high' }]);
  });

  it.each<[string, Partial<CustodyEvent>, Partial<CustodyEvent>]>([
    ['used again by the same actor', agent('a-1'), agent('a-1')],
    [
      'that server and client name differently',
      agent('a-1'),
      {
        ...agent('svc'),
        source: { collector: 'otlp_http', signal: 'span', dialect: 'test', vantage: 'server' },
      },
    ],
    ['refused when the other actor used it', agent('a-1'), { ...agent('a-2'), policy: { decision: 'deny' } }],
    ['and another token', agent('a-1'), { ...agent('a-2'), ...token('other') }],
  ])('%s is nothing', (_what, first, second) => {
    const { call } = start();
    expect(call('s', read, { ...token('t'), ...first })).toEqual([]);
    expect(call('t', read, { ...token('t'), ...second })).toEqual([]);
  });

  it('is the same after a restart in between', () => {
    const [whole, broken] = [start(), start()];
    const [one, other] = [whole, broken].map(({ run, call }, index) => {
      call('s', read, { ...token('t'), ...agent('a-1') });
      if (index === 1) run.restart();
      return call('t', read, { ...token('t'), ...agent('a-2') });
    });
    expect(one).toHaveLength(1);
    expect(other).toEqual(one);
  });
});

describe('a lifetime', () => {
  it('over ten minutes is low, once a day', () => {
    const { run, call } = start();
    const long = { scope: { ttl_sec: 3600 } };
    expect(call('s', read, long)).toMatchObject([{ severity: 'low', distance: '6.0 times the limit' }]);
    expect(call('t', read, long)).toEqual([]);
    run.wait(25 * 3_600_000);
    expect(call('u', read, long)).toHaveLength(1);
  });

  it('of exactly ten minutes, and an age of exactly ninety days, are nothing', () => {
    expect(start().call('s', read, { scope: { ttl_sec: 600, age_sec: 90 * 86_400 } })).toEqual([]);
  });

  it('shows in the age of a credential: low at first, medium after a year', () => {
    const severity = (days: number) =>
      start()
        .call('s', read, { scope: { age_sec: days * 86_400 } })
        .map((alert) => alert.severity);
    expect([severity(91), severity(400)]).toEqual([['low'], ['medium']]);
  });
});

describe('an audience', () => {
  const to = (audience: string, address?: string): Partial<CustodyEvent> => ({
    scope: { audience },
    ...(address === undefined ? {} : { server: { name: 'files', address } }),
  });

  it.each([
    ['files', undefined],
    ['https://files.corp.example/mcp', undefined],
    ['https://mcp.corp.example/files', undefined],
    ['https://mcp.corp.example', 'mcp.corp.example'],
    ['https://corp.example', 'mcp.corp.example:8443'],
    ['api://default', undefined],
  ])('%s fits server files at %s', (audience, address) => {
    expect(start().call('s', read, to(audience, address))).toEqual([]);
  });

  it('of another host is low at first, and medium where the server is known', () => {
    const { call, history } = start();
    expect(call('s', read, to('https://crm.other.example', 'mcp.corp.example'))).toMatchObject([
      { severity: 'low' },
    ]);
    const fit = { scope: { audience: 'api://files-audience' } };
    history(4, [read], fit);
    expect(call('t', read, to('api://crm-audience'))).toMatchObject([
      {
        severity: 'medium',
        title: 'Token for another audience',
        normal: 'none of 4 sessions of this server sent such a token',
      },
    ]);
  });

  it('of another server is high', () => {
    const { call, history } = start();
    history(4, [read], { scope: { audience: 'api://one' } });
    history(4, [{ tool: 'read', server: 'crm' }], { scope: { audience: 'api://two' } });
    expect(call('s', read, to('api://two'))).toMatchObject([
      { severity: 'high', distance: 'an audience that does not name the server' },
    ]);
    const registry = { servers: [{ name: 'files' }, { name: 'crm' }] };
    expect(start(registry).call('s', read, to('https://mcp.corp.example/crm'))).toMatchObject([
      { severity: 'high', distance: 'the audience of another server' },
    ]);
  });

  it('that sessions without alarm have shown is normal', () => {
    const { call, history } = start();
    history(4, [read], { scope: { audience: 'api://one' } });
    expect(call('s', read, { scope: { audience: 'api://one' } })).toEqual([]);
    history(1, [read], { scope: { audience: 'api://new' } });
    expect(call('t', read, { scope: { audience: 'api://new' } })).toHaveLength(1);
  });
});

it('keeps its state small in a flood of tokens and audiences', () => {
  const detector = tokenMisuse(config);
  const tenant = detector.newTenantState('acme');
  const watch = watching({ ...detector, newTenantState: () => tenant });
  for (let index = 0; index < 700; index += 1)
    watch.history(
      1,
      [read],
      { ...token(`t-${index}`, { audience: `api://${index}`, ttl_sec: 9999 }), ...agent(`a-${index}`) },
      `s-${index}`,
    );
  expect(tenant.tokens.size).toBe(512);
  expect(sizeOf(tenant)).toBeLessThan(12_000);
});
