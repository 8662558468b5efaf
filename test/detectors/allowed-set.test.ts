import { describe, expect, it } from 'vitest';
import { allowedSet } from '../../detectors/allowed-set.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { expectOnce, sizeOf, watching } from './watching.ts';
import { detectConfig, type Call } from './sessions.ts';

const config = detectConfig().allowed_set;
const document = {
  zones: [
    { name: 'prod', trust: 'internal', environment: 'production' },
    { name: 'partners', trust: 'vendor', destinations: ['partner.example'] },
  ],
  servers: [
    {
      name: 'crm',
      environments: ['production'],
      tools: [{ name: 'read_account' }, { name: 'export_all', disabled: true }, { name: 'write_account' }],
    },
    { name: 'desk', zone: 'prod' },
    { name: 'wiki' },
  ],
  clients: [
    { name: 'ide', servers: ['wiki'], environments: ['development'] },
    { name: 'bot', tools: { deny: ['crm/write_*'] } },
  ],
  agents: [{ id: 'agent-*', tools: { allow: ['crm/*', 'desk/*', 'wiki/*', 'mail/*'] } }],
  destinations: [{ hosts: ['evil.example'], allow: false }],
};
const start = (registry: object | undefined = document) => watching(allowedSet(config), registry);
const readAccount: Call = { tool: 'read_account', server: 'crm' };
const writeAccount: Call = { tool: 'write_account', server: 'crm', action: 'write' };
const by = (name: string): Partial<CustodyEvent> => ({ client: { name } });

describe('a call outside what the registry allows', () => {
  it.each<[string, Call, Partial<CustodyEvent>, string, string]>([
    ['a disabled tool', { tool: 'export_all', server: 'crm' }, {}, 'Disabled tool called', 'high'],
    ['a server of others', readAccount, by('ide'), 'Client used a server it may not use', 'medium'],
    ['a denied tool that writes', writeAccount, by('bot'), 'Client used a tool it may not use', 'high'],
    [
      'a tool not on the agent’s list',
      { tool: 'sum', server: 'calc' },
      {},
      'Agent used a tool it may not use',
      'medium',
    ],
    [
      'another environment',
      readAccount,
      { environment: 'staging' },
      'Server outside its environment',
      'medium',
    ],
    [
      'the zone’s environment',
      { tool: 'x', server: 'desk' },
      { environment: 'dev' },
      'Server outside its environment',
      'medium',
    ],
    [
      'a client outside its own',
      { tool: 'x', server: 'wiki' },
      { ...by('ide'), environment: 'production' },
      'Client outside its environment',
      'medium',
    ],
    [
      'a denied destination',
      { tool: 'send', server: 'mail', action: 'egress', to: ['in.evil.example'] },
      {},
      'Denied destination',
      'high',
    ],
  ])('%s is told once a session', (_what, call, more, title, severity) => {
    const watch = start();
    expectOnce(watch, call, more, { title, severity });
  });

  it('is low where a registered ticket covers it', () => {
    const registry = { ...document, tickets: [{ id: 'CHG-7', tools: ['crm/*'] }] };
    const [alert] = start(registry).call('s', writeAccount, {
      ...by('bot'),
      policy: { decision: 'allow', ticket: 'CHG-7' },
    });
    expect(alert).toMatchObject({ severity: 'low' });
    const [other] = start().call('s', writeAccount, {
      ...by('bot'),
      policy: { decision: 'allow', ticket: 'CHG-7' },
    });
    expect(other).toMatchObject({ severity: 'high' });
  });

  it('is told of destinations not on a complete list, but for those a zone names', () => {
    const { call } = start({ ...document, complete: ['destinations'] });
    const to = (...hosts: string[]) => call(hosts.join(), { tool: 'send', server: 'mail', to: hosts });
    expect(to('elsewhere.example')).toMatchObject([{ title: 'Destination that is not on the list' }]);
    expect(to('api.partner.example')).toEqual([]);
  });

  it('is told of a destination that only a call behind the tool shows', () => {
    const { call, bare } = start();
    const trace = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    expect(call('s', { tool: 'send', server: 'mail' }, { trace })).toEqual([]);
    const behind = { trace_id: trace.trace_id, span_id: 'c'.repeat(16), parent_span_id: trace.span_id };
    expect(bare('s', { kind: 'api_call', trace: behind, destinations: ['evil.example'] })).toMatchObject([
      { title: 'Denied destination' },
    ]);
  });
});

describe('nothing is told', () => {
  it.each<[string, object | undefined, Call, Partial<CustodyEvent>]>([
    ['of what is allowed', document, readAccount, { ...by('bot'), environment: 'Production' }],
    ['of what was refused', document, { ...writeAccount, decision: 'deny', category: 'denied' }, by('bot')],
    [
      'of a request nobody has answered',
      document,
      writeAccount,
      { ...by('bot'), phase: 'request', result: {}, policy: {} },
    ],
    [
      'of whom the registry does not name',
      document,
      { tool: 'sum', server: 'calc' },
      { actor: { id: 'other' } },
    ],
    ['where the environment is not told', document, readAccount, {}],
    ['without a registry', undefined, { tool: 'export_all', server: 'crm' }, {}],
    ['of a tool of the same name elsewhere', document, { tool: 'export_all', server: 'wiki' }, {}],
  ])('%s', (_what, registry, call, more) => {
    expect(watching(allowedSet(config), registry).call('s', call, more)).toEqual([]);
  });
});

it('holds back a flood of made-up violations', () => {
  const detector = allowedSet(config);
  const tenant = detector.newTenantState('acme');
  const watch = watching({ ...detector, newTenantState: () => tenant }, document);
  const alerts = Array.from({ length: 1000 }, (_, index) =>
    watch.call(`s-${index % 20}`, { tool: `made-up-${index}`, server: 'calc' }),
  ).flat();
  expect(alerts.length).toBeLessThanOrEqual(150);
  expect(sizeOf(tenant)).toBeLessThan(50);
});
