import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileRegistry } from '../../../detectors/registry/compile-registry.ts';
import { ticketCovers } from '../../../detectors/registry/ticket-covers.ts';
import { canonicalJson } from '../../../evidence/canonical-json.ts';
import { createHash } from 'node:crypto';
import { registryDocument, type RegistryDocument } from '../../../schemas/registry.ts';

const of = (document: Omit<RegistryDocument, 'version'>, tenant?: string) =>
  compileRegistry({ version: 1, ...document }, tenant);

describe('servers and tools', () => {
  const registry = of({
    complete: ['tools'],
    zones: [
      { name: 'internal', trust: 'internal', environment: 'prod' },
      { name: 'mail', trust: 'external' },
    ],
    servers: [
      {
        name: 'files',
        zone: 'internal',
        behind_gateway: true,
        data_classes: ['customer'],
        tools: [
          { name: 'read', read_only: true },
          { name: 'share', zone: 'mail', egress: true, data_classes: [], limits: { item_count: 10 } },
          { name: 'both' },
        ],
      },
      { name: 'other', tools: [{ name: 'both', disabled: true }] },
    ],
    tools: [
      { name: 'anywhere', privileged: true },
      { server: 'loose', name: 'x' },
    ],
  });

  test('a tool has its own zone and data classes, else those of its server', () => {
    expect(registry.tool('files', 'read')).toMatchObject({
      zone: 'internal',
      readOnly: true,
      dataClasses: ['customer'],
      requiresTicket: false,
    });
    expect(registry.tool('files', 'share')).toMatchObject({
      zone: 'mail',
      dataClasses: [],
      itemCountMax: 10,
    });
  });

  test('a tool whose server was not told is found where only one server has it', () => {
    expect(registry.tool(undefined, 'read')?.server).toBe('files');
    expect(registry.tool(undefined, 'both')).toBeUndefined();
    expect(registry.tool('other', 'read')).toBeUndefined();
    expect(registry.tool('elsewhere', 'anywhere')?.privileged).toBe(true);
    expect(registry.tool('loose', 'x')?.server).toBe('loose');
  });

  test('names are exact, and a name nobody registered is undecided', () => {
    expect(registry.server('Files')).toBeUndefined();
    expect(registry.server('files')?.behindGateway).toBe(true);
    expect(registry.tool('files', 'toString')).toBeUndefined();
    expect(registry.server('__proto__')).toBeUndefined();
    expect(registry.isComplete('tools')).toBe(true);
    expect(registry.isComplete('servers')).toBe(false);
  });
});

describe('clients and agents', () => {
  const registry = of({
    clients: [
      {
        name: 'desktop',
        servers: ['files'],
        tools: { allow: ['files/*', 'ping'], deny: ['files/delete_*'] },
      },
    ],
    agents: [
      { id: 'bot-admin', tools: { deny: ['*'] } },
      {
        id: 'bot-*',
        grants: ['read'],
        hours: [{ days: 'mon-fri', from: '08:00', to: '18:00', utc_offset: '+02:00' }],
      },
    ],
  });

  test('what is denied is not allowed, whatever is allowed', () => {
    const client = registry.client('desktop');
    expect(client?.allowsTool('files', 'read')).toBe(true);
    expect(client?.allowsTool('files', 'delete_all')).toBe(false);
    expect(client?.allowsTool('mail', 'read')).toBe(false);
    expect(client?.allowsTool('mail', 'ping')).toBe(true);
  });

  test('where the server was not told the name of the tool decides', () => {
    expect(registry.client('desktop')?.allowsTool(undefined, 'read')).toBe(true);
    expect(registry.client('desktop')?.allowsTool(undefined, 'delete_all')).toBe(false);
  });

  test('the first entry that matches an agent counts', () => {
    expect(registry.agent('bot-admin')?.allowsTool('files', 'read')).toBe(false);
    expect(registry.agent('bot-7')?.grants).toEqual(['read']);
    expect(registry.agent('human')).toBeUndefined();
    expect(registry.agent(undefined)).toBeUndefined();
  });

  test.each([
    ['2026-11-20T06:00:00Z', true], // Friday 08:00 there
    ['2026-11-20T05:59:59Z', false],
    ['2026-11-20T15:59:59Z', true],
    ['2026-11-20T16:00:00Z', false],
    ['2026-11-21T10:00:00Z', false], // Saturday
  ])('at %s an agent with office hours two hours east of UTC works: %s', (time, works) => {
    expect(registry.agent('bot-7')?.worksAt(Date.parse(time))).toBe(works);
  });

  test('hours that end before they begin go on into the next day, over the end of the week', () => {
    const night = of({ agents: [{ id: 'n', hours: [{ days: 'sun', from: '22:00', to: '06:00' }] }] }).agent(
      'n',
    );
    expect(night?.worksAt(Date.parse('2026-11-23T05:59:00Z'))).toBe(true); // Monday
    expect(night?.worksAt(Date.parse('2026-11-22T21:59:00Z'))).toBe(false);
    expect(night?.worksAt(Date.parse('2026-11-24T01:00:00Z'))).toBe(false);
  });
});

describe('destinations', () => {
  const registry = of({
    zones: [
      { name: 'ours', trust: 'internal', destinations: ['example.com', '10.0.0.0/8', 'fd00::/8'] },
      { name: 'lab', trust: 'restricted', destinations: ['*.lab.example.com', '10.9.0.0/16'] },
    ],
    destinations: [
      { hosts: ['*'], allow: false },
      { hosts: ['example.com', '192.0.2.7'], allow: true },
      { hosts: ['paste.example.com'], allow: false },
    ],
  });

  test.each([
    ['example.com', 'ours'],
    ['a.b.EXAMPLE.com', 'ours'],
    ['x.lab.example.com', 'lab'],
    ['9f2c@example.com', 'ours'],
    ['10.1.2.3', 'ours'],
    ['10.9.2.3', 'lab'],
    ['::ffff:10.9.2.3', 'lab'],
    ['fd12::1', 'ours'],
    ['notexample.com', undefined],
    ['example.com.evil.org', undefined],
    ['11.0.0.1', undefined],
    ['', undefined],
  ])('%s is in zone %s by the longest suffix or block', (destination, zone) => {
    expect(registry.zoneOfDestination(destination)?.name).toBe(zone);
  });

  test('the longest rule decides whether a destination is allowed', () => {
    expect(registry.allowsDestination('api.example.com')).toBe(true);
    expect(registry.allowsDestination('paste.example.com')).toBe(false);
    expect(registry.allowsDestination('192.0.2.7')).toBe(true);
    expect(registry.allowsDestination('192.0.2.8')).toBe(false);
    expect(of({}).allowsDestination('example.com')).toBeUndefined();
  });
});

test('the first flow that says something about zones and class decides', () => {
  const registry = of({
    zones: [
      { name: 'in', trust: 'internal' },
      { name: 'out', trust: 'external' },
    ],
    flows: [
      { from: 'in', to: 'out', data_classes: ['public'], allow: true },
      { from: 'in', to: '*', allow: false },
    ],
  });
  expect(registry.allowsFlow('in', 'out', 'public')).toBe(true);
  expect(registry.allowsFlow('in', 'out', 'customer')).toBe(false);
  expect(registry.allowsFlow('in', 'out', undefined)).toBe(false);
  expect(registry.allowsFlow('out', 'in', 'public')).toBeUndefined();
});

test('a ticket counts from its start to before its end, for what it names', () => {
  const registry = of({
    tickets: [
      {
        id: 'CHG-1',
        from: '2026-01-01T00:00:00Z',
        until: '2026-01-02T00:00:00+01:00',
        agents: ['bot-*'],
        tools: ['db/drop_*'],
      },
    ],
  });
  const at = (time: string) => registry.ticket('CHG-1', Date.parse(time));
  expect(registry.knowsTickets).toBe(true);
  expect(at('2025-12-31T23:59:59Z')).toBeUndefined();
  expect(at('2026-01-01T23:00:00Z')).toBeUndefined();
  expect(registry.ticket('CHG-2', 0)).toBeUndefined();
  const ticket = at('2026-01-01T00:00:00Z')!;
  expect(ticketCovers(ticket, 'bot-1', 'db', 'drop_table')).toBe(true);
  expect(ticketCovers(ticket, 'eve', 'db', 'drop_table')).toBe(false);
  expect(ticketCovers(ticket, 'bot-1', 'mail', 'drop_table')).toBe(false);
});

test('a call falls under the budgets whose filters it meets', () => {
  const registry = of({
    budgets: [
      { id: 'all', per: 'tenant', measure: 'usd', window_sec: 3600, limit: 2.5 },
      {
        id: 'mail',
        per: 'agent',
        measure: 'calls',
        window_sec: 60,
        limit: 5,
        servers: ['mail'],
        tools: ['send_*'],
      },
    ],
  });
  expect(registry.budgets('a', 'mail', 'send_one').map(({ id }) => id)).toEqual(['all', 'mail']);
  expect(registry.budgets(undefined, 'mail', 'read')).toEqual([
    { id: 'all', per: 'tenant', measure: 'usd', windowMs: 3_600_000, limit: 2.5 },
  ]);
});

describe('tenants', () => {
  const document = {
    version: 1,
    zones: [{ name: 'in', trust: 'internal' }],
    servers: [
      {
        name: 's',
        hosting: 'self',
        tools: [{ name: 't' }, { name: 't', tenants: ['acme'], disabled: true }],
      },
      { name: 's', tenants: ['beta-*'], hosting: 'vendor' },
    ],
  };

  test('an entry for a tenant goes before one for all, and no other tenant has it', () => {
    expect(compileRegistry(document, 'acme').tool('s', 't')?.disabled).toBe(true);
    expect(compileRegistry(document, 'other').tool('s', 't')?.disabled).toBe(false);
    expect(compileRegistry(document, 'other').server('s')?.hosting).toBe('self');
    expect(compileRegistry(document, 'beta-2').server('s')?.hosting).toBe('vendor');
    expect(compileRegistry(document, 'beta-2').tool('s', 't')).toBeUndefined();
  });

  test('tenants that nothing sets apart share one compiled registry', () => {
    expect(compileRegistry(document, 'x')).toBe(compileRegistry(document, 'y'));
    expect(compileRegistry(document, 'x')).not.toBe(compileRegistry(document, 'acme'));
  });
});

test('the digest is that of the canonical JSON of the document', () => {
  const document = { version: 1, zones: [{ trust: 'vendor', name: 'ü' }], complete: ['tools'] };
  const digest = createHash('sha256').update(canonicalJson(document)).digest('hex');
  expect(compileRegistry(document).digest).toBe(digest);
  expect(compileRegistry(JSON.parse(canonicalJson(document))).digest).toBe(digest);
});

test('nothing that is no registry makes it fail, and it decides nothing then', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (value, name) => {
      const registry = compileRegistry(value);
      expect(registry.allowsDestination(name)).toBeUndefined();
      expect(registry.tool(name, name)).toBeUndefined();
    }),
  );
});

test('no name, pattern, host or id of a valid document makes lookups fail', () => {
  const text = fc.oneof(
    fc.string({ minLength: 1, maxLength: 40 }),
    fc.stringMatching(/^[*?.:/@a0-9]{1,40}$/),
  );
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), text, (list, wanted) => {
      const document = registryDocument.parse({
        version: 1,
        zones: [{ name: 'z', trust: 'vendor', destinations: list }],
        destinations: [{ hosts: list, allow: false }],
        agents: [{ id: list[0], tools: { allow: list, deny: list } }],
        budgets: [
          { id: 'b', per: 'agent', measure: 'calls', window_sec: 1, limit: 1, tools: list, agents: list },
        ],
      });
      const registry = compileRegistry(document);
      registry.zoneOfDestination(wanted);
      registry.budgets(wanted, undefined, wanted);
      expect(list.every((host) => registry.allowsDestination(host) === false)).toBe(true);
      expect(registry.agent(list[0])?.allowsTool(undefined, list[0]!) ?? false).toBe(false);
    }),
  );
});

test('a pattern full of stars is matched in bounded time', () => {
  const registry = of({ agents: [{ id: `${'*a'.repeat(127)}b` }] });
  const startedMs = performance.now();
  for (let round = 0; round < 200; round += 1) registry.agent(`${'a'.repeat(250)}${round}`);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

describe('a list of tools as other systems keep it', () => {
  const list = [
    { tool: 'read', server: 'files', zone: 'internal', readOnlyHint: true, egress: false, unknown: { a: 1 } },
    {
      tool: 'post',
      server: 'files',
      zone: 'external',
      readOnlyHint: false,
      egress: true,
      openWorldHint: true,
    },
    { tool: 'grant', zone: 'vendor', privileged: true, approvalRequired: true },
  ];

  test('becomes servers, tools and zones', () => {
    const registry = compileRegistry(list);
    expect(registry.tool('files', 'read')).toMatchObject({ zone: 'internal', readOnly: true, egress: false });
    expect(registry.tool('files', 'post')).toMatchObject({ zone: 'external', openWorld: true });
    expect(registry.tool(undefined, 'grant')).toMatchObject({ privileged: true, requiresApproval: true });
    expect(registry.zone('external')?.trust).toBe('external');
    expect(registry.zone('vendor')?.trust).toBe('vendor');
    expect(registry.isComplete('tools')).toBe(false);
  });

  const file = new URL('../../../../shared/data/registry.json', import.meta.url);
  test.skipIf(!existsSync(file))('of the recordings: every tool is found with its hints', () => {
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string | boolean>[];
    const registry = compileRegistry(recorded);
    expect(recorded.length).toBeGreaterThan(50);
    for (const { tool, server, zone, readOnlyHint, destructiveHint, openWorldHint, egress } of recorded)
      expect(registry.tool(String(server), String(tool))).toMatchObject({
        zone,
        readOnly: readOnlyHint,
        destructive: destructiveHint,
        openWorld: openWorldHint,
        egress,
      });
  });
});
