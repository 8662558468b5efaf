import { describe, expect, it } from 'vitest';
import { zoneCrossing } from '../../detectors/zone-crossing.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { RegistryDocument } from '../../schemas/registry.ts';
import { enforce, holding, repeat, settle, showing, tenantBytes } from './content-events.ts';
import { callEvent, detectConfig, hex, runner, type Call } from './sessions.ts';

const zones: RegistryDocument['zones'] = [
  { name: 'vault', trust: 'restricted' },
  { name: 'office', trust: 'internal' },
  { name: 'saas', trust: 'vendor', destinations: ['saas.example'] },
  { name: 'prod', trust: 'internal', environment: 'production' },
  { name: 'dev', trust: 'internal', environment: 'development' },
];
const servers: RegistryDocument['servers'] = [
  { name: 'files', zone: 'office' },
  { name: 'hr', zone: 'vault', data_classes: ['salary'], tools: [{ name: 'get_salaries' }] },
  { name: 'chat', zone: 'saas' },
  { name: 'db', zone: 'prod' },
  { name: 'sandbox', zone: 'dev' },
];
const starting = (flows: RegistryDocument['flows'] = []) => {
  const run = runner(detectConfig(), { detectors: [zoneCrossing(detectConfig().zone_crossing)] });
  enforce(run, { zones, servers, flows });
  return run;
};
const read: Call = { tool: 'read_file', server: 'files' };
const salaries: Call = { tool: 'get_salaries', server: 'hr' };
const post = (...from: readonly number[]): Call =>
  holding(
    { tool: 'post', server: 'chat', action: 'egress' },
    { values: Object.fromEntries(from.map((source) => [`text${source}`, [400, source] as const])) },
  );
const learned = (flows?: RegistryDocument['flows'], ...usual: readonly Call[]) => {
  const run = starting(flows);
  repeat(run, 22, () => (usual.length === 0 ? [read] : usual));
  return run;
};

describe('zone-crossing', () => {
  it('alerts high when data of a restricted zone goes to a vendor by a way never gone', () => {
    const [alert, ...more] = learned().session('s', [salaries, post(0)]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Data goes from a zone of ours outside', severity: 'high' });
    expect(alert?.reason).toContain(
      'Data of class salary read with hr/get_salaries in zone vault (restricted) went with chat/post into zone saas (vendor): 400 B of the arguments came from that result',
    );
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts medium when an internal result showed what the arguments hold', () => {
    const send = holding(
      { tool: 'send', server: 'mail', action: 'egress', to: ['x.saas.example'] },
      { findings: { iban: 1 }, values: { body: [200, 0] } },
    );
    expect(learned().session('s', [showing(read, { findings: { iban: 2 } }), send])).toMatchObject([
      { severity: 'medium' },
    ]);
  });

  it('goes by the flow rules of the registry', () => {
    const allowed = [{ from: 'vault', to: 'saas', data_classes: ['salary'], allow: true }];
    expect(learned(allowed).session('s', [salaries, post(0)])).toEqual([]);
    const forbidden = [{ from: 'office', to: 'saas', allow: false }];
    expect(starting(forbidden).session('s', [read, post(0)])).toMatchObject([
      { title: 'Forbidden flow of data between zones', severity: 'high' },
    ]);
  });

  it('takes a way that benign sessions go for usual', () => {
    expect(learned([], read, post(0)).session('s', [read, post(0)])).toEqual([]);
  });

  it.each<[string, readonly Call[], readonly { severity: string }[]]>([
    ['plain data of an internal zone is a note', [read, post(0)], [{ severity: 'low' }]],
    ['a refused flow is a note', [salaries, { ...post(0), decision: 'deny' }], [{ severity: 'low' }]],
    ['nothing of the result in the arguments', [salaries, post()], []],
    [
      'a short value',
      [salaries, holding({ tool: 'post', server: 'chat', action: 'egress' }, { values: { n: [3, 0] } })],
      [],
    ],
    [
      'a flow within our zones',
      [
        salaries,
        holding({ tool: 'write_file', server: 'files', action: 'write' }, { values: { text: [400, 0] } }),
      ],
      [],
    ],
    ['a vendor its own data', [{ tool: 'read', server: 'chat' }, post(0)], []],
  ])('%s', (_name, calls, expected) => {
    expect(learned().session('s', calls)).toMatchObject(expected);
  });

  it('only notes what it sees while it learns', () => {
    expect(starting().session('s', [salaries, post(0)])).toMatchObject([{ severity: 'low' }]);
  });

  it('alerts when one session works in two environments, and not when that is the habit', () => {
    const change: Call = { tool: 'update', server: 'db', action: 'write' };
    const test: Call = { tool: 'run', server: 'sandbox', action: 'execute' };
    expect(learned().session('s', [test, change])).toMatchObject([
      {
        title: 'One session in two environments',
        severity: 'medium',
        observed: 'the session worked in development and now in production with db/update',
      },
    ]);
    expect(learned([], test, change).session('s', [test, change])).toEqual([]);
    expect(learned().session('s', [change, change])).toEqual([]);
  });

  it('alerts when one credential works in two environments', () => {
    const used = (call: Call): Call => ({
      ...call,
      change: (event) => ({ ...event, scope: { token_digest: hex('token') } }),
    });
    const run = learned();
    expect(run.session('s', [used({ tool: 'query', server: 'sandbox' })])).toEqual([]);
    const [alert, ...more] = run.session('t', [used({ tool: 'query', server: 'db' })]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'One credential in two environments', severity: 'medium' });
  });

  it('does not take where the agent runs for where its tools run', () => {
    const at = (vantage: 'client' | 'server', environment: string): Call => ({
      tool: 'query',
      change: (event) => ({ ...event, environment, source: { ...event.source, vantage } }),
    });
    expect(learned().session('s', [at('client', 'laptop'), at('server', 'production')])).toEqual([]);
    expect(learned().session('t', [at('server', 'staging'), at('server', 'production')])).toHaveLength(1);
  });

  it('judges the same after a restart within the session', () => {
    const run = learned();
    run.session('s', [salaries]);
    run.restart();
    expect(run.send(callEvent('acme', 's', 1, run.now(), post(0)))).toMatchObject([{ severity: 'high' }]);
  });

  it('stays bounded under a flood of ways and credentials', () => {
    const run = starting();
    for (let index = 0; index < 30; index += 1)
      run.session(`flood ${index}`, [
        read,
        ...Array.from({ length: 100 }, (_, at): Call => ({
          ...post(0),
          tool: `t${index}-${at}`,
          change: (event) => ({
            ...event,
            environment: `e${at}`,
            scope: { token_digest: hex(`${index} ${at}`) },
          }),
        })),
      ]);
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(400_000);
  });
});
