import { describe, expect, it } from 'vitest';
import { unregistered } from '../../detectors/unregistered.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { expectOnce, sizeOf, watching } from './watching.ts';
import { detectConfig, hex, type Call } from './sessions.ts';

const config = detectConfig().unregistered;
const document = {
  complete: ['servers', 'tools', 'clients', 'agents'],
  servers: [
    { name: 'github', tools: [{ name: 'read_issue' }, { name: 'close_issue' }] },
    { name: 'db-1', tools: [{ name: 'query' }] },
  ],
  clients: [{ name: 'ide' }],
  agents: [{ id: 'agent-*' }],
};
const start = (registry: object | undefined = document) => watching(unregistered(config), registry);
const read: Call = { tool: 'read_issue', server: 'github' };

describe('a server that an incomplete registry does not name', () => {
  const partial = { servers: [{ name: 'github', tools: [{ name: 'read_issue' }] }] };
  const strange: Call = { tool: 'run', server: 'shadow' };

  it('is told where nearly all calls of the tenant go to registered servers', () => {
    const watch = start(partial);
    watch.history(
      40,
      Array.from({ length: 6 }, () => read),
    );
    expect(watch.call('s', strange)).toMatchObject([{ title: 'Unregistered server', severity: 'medium' }]);
  });

  it('is no finding before, nor where others are usual', () => {
    const watch = start(partial);
    expect(watch.call('s', strange)).toEqual([]);
    watch.history(40, [...Array.from({ length: 6 }, () => read), { tool: 'other', server: 'unlisted' }]);
    expect(watch.call('t', strange)).toEqual([]);
  });
});

describe('what a complete registry does not name', () => {
  it.each<[string, Call, Partial<CustodyEvent>, string, string]>([
    ['a server', { tool: 'query', server: 'shadow' }, {}, 'Unregistered server', 'medium'],
    [
      'a look-alike server',
      { tool: 'read_issue', server: 'gіthub' },
      {},
      'Unregistered server with the look of another',
      'high',
    ],
    [
      'a server one letter off',
      { tool: 'read_issue', server: 'githab' },
      {},
      'Unregistered server with the look of another',
      'high',
    ],
    ['a numbered neighbour', { tool: 'query', server: 'db-2' }, {}, 'Unregistered server', 'medium'],
    [
      'a tool that writes',
      { tool: 'push_code', server: 'github', action: 'write' },
      {},
      'Unregistered tool',
      'medium',
    ],
    ['a tool that reads', { tool: 'list_forks', server: 'github' }, {}, 'Unregistered tool', 'low'],
    ['a client', read, { client: { name: 'hack-cli' } }, 'Unregistered client', 'low'],
    ['an agent', read, { actor: { id: 'rogue-1', type: 'agent' } }, 'Unregistered agent', 'low'],
  ])('%s is told once a session', (_what, call, more, title, severity) => {
    const watch = start();
    expectOnce(watch, call, more, { title, severity });
    expect(watch.call('t', call, more)).toHaveLength(1);
  });

  it('a server that only lists its tools is told', () => {
    const { bare } = start();
    expect(bare('s', { kind: 'tool_list', server: { name: 'shadow' } })).toHaveLength(1);
  });

  it('names the version of the registry', () => {
    const [alert] = start().call('s', { tool: 'x', server: 'shadow' });
    expect(alert?.reason).toMatch(/\(registry [0-9a-f]{12}\)/);
  });

  it('is no longer told once it is registered, and again once it is not', () => {
    const { call, decree } = start();
    const shadow: Call = { tool: 'query', server: 'shadow' };
    expect(call('a', shadow)).toHaveLength(1);
    decree({
      version: 1,
      ...document,
      servers: [...document.servers, { name: 'shadow', tools: [{ name: 'query' }] }],
    });
    expect(call('b', shadow)).toEqual([]);
    decree({ version: 1, ...document });
    expect(call('c', shadow)).toHaveLength(1);
  });
});

describe('nothing is told', () => {
  it.each<[string, object | undefined, Call, Partial<CustodyEvent>]>([
    ['of what is registered', document, read, { client: { name: 'ide' } }],
    ['without a registry', undefined, { tool: 'x', server: 'shadow' }, {}],
    [
      'where the registry does not claim to be complete',
      { servers: document.servers },
      { tool: 'x', server: 'shadow' },
      {},
    ],
    [
      'of a name one letter off in such a registry',
      { servers: document.servers },
      { tool: 'x', server: 'githab' },
      {},
    ],
    ['of a call that was refused', document, { tool: 'push_code', server: 'github', decision: 'deny' }, {}],
    ['of a person', document, read, { actor: { id: 'jo', type: 'human' } }],
    ['where no names are told', document, { tool: 'read_issue' }, {}],
  ])('%s', (_what, registry, call, more) => {
    expect(watching(unregistered(config), registry).call('s', call, more)).toEqual([]);
  });

  it('but of a name that looks the same even then', () => {
    const [alert] = start({ servers: document.servers }).call('s', { tool: 'x', server: 'gіthub' });
    expect(alert).toMatchObject({ severity: 'high' });
  });
});

it('holds back a flood of made-up servers', () => {
  const detector = unregistered(config);
  const tenant = detector.newTenantState('acme');
  const watch = watching({ ...detector, newTenantState: () => tenant }, document);
  const alerts = Array.from({ length: 1000 }, (_, index) =>
    watch.call(`s-${index % 40}`, { tool: 'x', server: `made-up-${hex(String(index)).slice(0, 8)}` }),
  ).flat();
  expect(alerts.length).toBeLessThanOrEqual(80);
  expect(alerts.some(({ reason }) => reason.includes('more are held back'))).toBe(true);
  expect(sizeOf(tenant)).toBeLessThan(1000);
});

describe('calls past the gateway', () => {
  const behind = { servers: [{ name: 'github', behind_gateway: true }] };
  const minuteMs = 60_000;
  const trace = (id: number) => ({
    trace_id: hex(`trace ${id}`).slice(0, 32),
    span_id: hex(`span ${id}`).slice(0, 16),
  });
  const seen = (vantage: CustodyEvent['source']['vantage'], id: number): Partial<CustodyEvent> => ({
    source: { collector: 'otlp_http', signal: 'span', dialect: vantage, vantage },
    trace: trace(id),
    tool: { name: 'read_issue', action: 'read', call_id: `call-${id}` },
  });

  function fleet(order: readonly ('client' | 'gateway')[] = ['client', 'gateway'], calls = 30) {
    const watch = start(behind);
    for (let id = 0; id < calls; id += 1)
      for (const vantage of order) watch.call(`s-${id}`, read, seen(vantage, id));
    return watch;
  }

  it.each<[string, readonly ('client' | 'gateway')[]]>([
    ['after', ['client', 'gateway']],
    ['before', ['gateway', 'client']],
  ])(
    'are told when five minutes have gone by, where the gateway usually tells of each (%s the client)',
    (_how, order) => {
      const { run, call } = fleet(order);
      expect(call('direct', read, seen('client', 900))).toEqual([]);
      run.wait(4 * minuteMs);
      expect(call('other', read, seen('gateway', 901))).toEqual([]);
      run.wait(2 * minuteMs);
      const [alert, ...more] = call('later', read, seen('gateway', 902));
      expect(more).toEqual([]);
      expect(alert).toMatchObject({
        title: 'Call past the gateway',
        severity: 'medium',
        session_key: 'direct',
        server_name: 'github',
        normal: 'the gateway told of 30 of 30 calls of it',
      });
      expect(alert?.evidence).toHaveLength(2);
    },
  );

  it('are the same after a restart while it waits', () => {
    const [whole, broken] = [fleet(), fleet()];
    const [one, other] = [whole, broken].map(({ run, call }, index) => {
      call('direct', read, seen('client', 900));
      if (index === 1) run.restart();
      run.wait(6 * minuteMs);
      return call('later', read, seen('gateway', 902));
    });
    expect(one).toHaveLength(1);
    expect(other).toEqual(one);
  });

  it.each<[string, (watch: ReturnType<typeof fleet>) => void]>([
    [
      'the gateway tells of it in time',
      ({ run, call }) => {
        call('direct', read, seen('client', 900));
        run.wait(4 * minuteMs);
        call('direct', read, seen('gateway', 900));
      },
    ],
    [
      'a tap has seen it',
      ({ call }) => {
        call('direct', read, seen('client', 900));
        call('direct', read, seen('tap', 900));
      },
    ],
  ])('are none where %s', (_what, send) => {
    const watch = fleet();
    send(watch);
    watch.run.wait(10 * minuteMs);
    expect(watch.call('later', read, seen('gateway', 902))).toEqual([]);
  });

  it.each<[string, readonly ('client' | 'gateway')[], number]>([
    ['never tells', ['client'], 30],
    ['has told of few calls yet', ['client', 'gateway'], 10],
  ])('are not told where the gateway %s', (_what, order, calls) => {
    const { run, call } = fleet(order, calls);
    call('direct', read, seen('client', 900));
    run.wait(6 * minuteMs);
    expect(call('later', read, seen('gateway', 902))).toEqual([]);
  });

  it('are matched by tool and time where nothing else joins what the gateway tells', () => {
    const watch = start(behind);
    for (let id = 0; id < 40; id += 1) {
      watch.call(`agent-${id}`, read, seen('client', id));
      watch.call(`gateway-${id}`, read, seen('gateway', 5000 + id));
    }
    watch.run.wait(6 * minuteMs);
    expect(watch.call('later', read, seen('gateway', 902))).toEqual([]);
    watch.run.wait(6 * minuteMs);
    watch.call(
      'direct',
      { tool: 'close_issue', server: 'github', action: 'write' },
      { ...seen('client', 901), tool: { name: 'close_issue', action: 'write' } },
    );
    watch.run.wait(6 * minuteMs);
    expect(watch.call('later', read, seen('gateway', 903))).toMatchObject([
      { severity: 'high', tool_name: 'close_issue' },
    ]);
  });
});
