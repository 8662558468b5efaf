import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { encodeEvent } from '../../collectors/normalize/encode.ts';
import { eventId } from '../../collectors/normalize/event-id.ts';
import { createEntryBuilder } from '../../evidence/entry-builder.ts';
import { policyEvent } from '../../pipeline/partition-policies.ts';
import { policyDocumentOf } from '../../pipeline/policy-source.ts';
import { parseRegistryText } from '../../pipeline/registry-file.ts';
import { EVENT_SCHEMA, eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import type { RegistryDocument } from '../../schemas/registry.ts';
import { openChdbStore } from '../../sinks/store/chdb-store.ts';
import { captured } from './captured.ts';

const START_MS = Date.now() - 86_400_000;
const REVIEWED = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);
let directory: string;
let number = 0;

function event(tenant: string, facts: Partial<CustodyEvent>): CustodyEvent {
  number += 1;
  const time = `${START_MS + number * 1000}000000`;
  return eventSchema.parse({
    event_id: eventId([String(number)]),
    kind: 'tool_call',
    observed_time_unix_nano: time,
    schema: EVENT_SCHEMA,
    source: { collector: 'otlp_http', dialect: 'test', signal: 'span', vantage: 'gateway' },
    tenant,
    time_unix_nano: time,
    ...facts,
  });
}

const call = (
  tenant: string,
  agent: string,
  server: string,
  tool: CustodyEvent['tool'],
  more: Partial<CustodyEvent> = {},
) =>
  event(tenant, {
    actor: { id: agent, type: 'agent' },
    client: { name: 'desktop' },
    mcp: { transport: 'stdio' },
    server: { name: server, version: '1.0' },
    tool,
    ...more,
  });

const inForce: RegistryDocument = {
  version: 1,
  zones: [{ name: 'internal', trust: 'internal', destinations: ['10.0.0.0/8'] }],
  servers: [
    {
      name: 'files',
      zone: 'internal',
      versions: ['0.9'],
      tools: [{ name: 'read', definition_digests: [REVIEWED] }, { name: 'gone' }],
    },
  ],
  agents: [{ id: 'bot-*' }],
};
const before: RegistryDocument = { version: 1, zones: [{ name: 'internal', trust: 'vendor' }] };

/** The data directory of a stopped pipeline that saw some traffic, and two registries come into force. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'custody-registry-'));
  const events = [
    policyEvent('custody-control.0', policyDocumentOf('registry', before), START_MS),
    ...[1, 2, 3].map((n) =>
      call('acme', `bot-${n}`, 'files', {
        name: 'read',
        action: 'read',
        annotations: { read_only: true },
        definition_digest: n === 3 ? OTHER : REVIEWED,
      }),
    ),
    ...Array.from({ length: 6 }, () =>
      call(
        'acme',
        'admin',
        'iam',
        { name: 'grant_role', action: 'write' },
        { policy: { ticket: 'CHG-1' }, scope: { grants: ['iam:write'] } },
      ),
    ),
    call(
      'beta',
      'mailer',
      'mail',
      { name: 'send', action: 'egress' },
      { destinations: ['a.example.org', 'x9f2@b.example.org', '10.1.1.1', 'shop.example.co.uk'] },
    ),
    event('beta', { kind: 'tool_list', server: { name: 'mail' }, tool_definitions: { unused: OTHER } }),
    call('beta', '*', 'evil\u202e', { name: 'a*' }),
    event('beta', { kind: 'context', actor: { id: 'someone', type: 'human' } }),
    policyEvent('custody-control.0', policyDocumentOf('registry', inForce), START_MS + 60_000),
  ];
  const store = await openChdbStore({ path: join(directory, 'store') });
  const source = { deployment: 'd', topic: 'custody.events', topicId: 'topic', partition: 0 };
  const builder = createEntryBuilder(source, { day: -1, heads: [] });
  const entries = events.map((one, offset) =>
    builder.add({
      key: one.tenant,
      value: encodeEvent(one),
      offset: BigInt(offset),
      appendTimeMs: START_MS + offset * 1000,
    }),
  );
  await store.append(entries.flat());
  await store.close();
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function custody(...words: readonly string[]) {
  const { code, stdout: out, stderr: err } = await captured('registry', ...words);
  return { code, out, err };
}
const onData = (...words: readonly string[]) => custody(...words, '--data-dir', directory);
const fileOf = (name: string, text: string) => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

describe('custody registry check', () => {
  it('says what a usable file holds and what in it is probably not meant', async () => {
    const file = fileOf(
      'good.yaml',
      `version: 1
complete: [clients]
servers:
  - name: files
    tools: [{ name: read, read_only: true, destructive: true }]
agents:
  - { id: "bot-*" }
  - { id: bot-1, servers: [nowhere] }
destinations:
  - { hosts: ["https://example.com"], allow: true }
tickets:
  - { id: T, until: 2020-01-01T00:00:00Z }
`,
    );
    const { code, out } = await custody('check', file, '--json');
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ valid: true, counts: { servers: 1, tools: 1, agents: 2 } });
    expect(report.warnings.map(({ path }: { path: string }) => path)).toEqual([
      'servers[0]',
      'servers[0].tools[0].destructive',
      'agents[1].servers[0]',
      'agents[1].id',
      'destinations[0].hosts[0]',
      'tickets[0].until',
      'complete[0]',
    ]);
  });

  it('names each wrong key with its line and ends with the code for usage', async () => {
    const file = fileOf('bad.yaml', 'version: 1\nserver: []\nzones:\n  - name: a\n    trust: ours\n');
    const { code, out } = await custody('check', file);
    expect(code).toBe(2);
    expect(out).toContain('line 5: zones[0].trust: ');
    expect(out).toContain('server: there is no such key');
  });

  it('warns of addresses and blocks that are none', async () => {
    const hosts = [
      '10.0.0.0/33',
      '10.0.0.300',
      '::1/129',
      'a.example/x',
      '10.0.0.0/8',
      '::1',
      'fd00::/8',
      'a.example',
    ];
    const file = fileOf(
      'hosts.yaml',
      JSON.stringify({
        version: 1,
        zones: [{ name: 'z', trust: 'vendor', destinations: ['10.0.0.0/33', '10.0.0.0/32'] }],
        destinations: [{ hosts, allow: false }],
      }),
    );
    const { code, out } = await custody('check', file);
    expect(code).toBe(0);
    const warned = [...out.matchAll(/^warning: (\S+): is no address and no block/gm)].map(([, path]) => path);
    expect(warned).toEqual([
      'zones[0].destinations[0]',
      ...[0, 1, 2, 3].map((index) => `destinations[0].hosts[${index}]`),
    ]);
  });

  it('names a key that is there twice with its line', async () => {
    const file = fileOf('twice.yaml', 'version: 1\nzones: []\nservers: []\n"zones": []\n');
    const { code, out } = await custody('check', file);
    expect(code).toBe(2);
    expect(out).toContain('line 4: the document: not valid YAML: the key zones is twice in one mapping');
  });

  it('says in one sentence that there is no such file', async () => {
    const { code, err } = await custody('check', join(directory, 'none.yaml'));
    expect(code).toBe(2);
    expect(err).toMatch(/^custody: cannot read registry .*none\.yaml: ENOENT\n$/);
  });
});

describe('custody registry show', () => {
  it('shows what is in force as a file that could be put into force again', async () => {
    const { code, out } = await onData('show');
    expect(code).toBe(0);
    expect(parseRegistryText(out).document).toEqual(inForce);
    expect(out).toContain(`# digest ${policyDocumentOf('registry', inForce).digest}`);
  });

  it('lists versions and shows an earlier one by its digest', async () => {
    const { out } = await onData('show', '--versions', '--json');
    const { versions } = JSON.parse(out) as { versions: { digest: string; partition: number }[] };
    expect(versions.map(({ digest }) => digest)).toEqual(
      [inForce, before].map((document) => policyDocumentOf('registry', document).digest),
    );
    const earlier = await onData('show', '--json', '--digest', versions[1]!.digest.slice(0, 12));
    expect(JSON.parse(earlier.out)).toMatchObject({ document: before, in_force: [{ partition: 0 }] });
  });

  it('says that the ledger has no version whose digest begins so', async () => {
    const { code, err } = await onData('show', '--digest', 'zz');
    expect(code).toBe(2);
    expect(err).toContain('the ledger has none whose digest begins with zz');
  });
});

describe('custody registry diff', () => {
  it('tells what a file would change in what is in force', async () => {
    const changed = {
      ...inForce,
      servers: [{ ...inForce.servers![0], versions: ['1.0'], tools: [{ name: 'read' }] }],
    };
    const { out } = await onData('diff', '@', fileOf('changed.yaml', JSON.stringify(changed)));
    expect(out.split('\n')).toEqual([
      '~ server files: versions: ["0.9"] -> ["1.0"]',
      `~ tool files/read: definition_digests: ["${REVIEWED}"] -> nothing`,
      '- tool files/gone',
      '',
    ]);
  });

  it('needs no store to compare two files', async () => {
    const file = fileOf('same.yaml', JSON.stringify(before));
    const { code, out } = await custody('diff', file, file, '--data-dir', join(directory, 'nowhere'));
    expect({ code, out }).toEqual({ code: 0, out: 'no difference\n' });
  });
});

describe('custody registry learn', () => {
  it('proposes a valid registry that allows what was seen and says what is guessed', async () => {
    const file = join(directory, 'learned.yaml');
    const { code, out } = await onData('learn', '--out', file);
    expect({ code, out }).toEqual({
      code: 0,
      out: `${file}: 3 servers, 1 clients, 3 agents; read it before you put it into force\n`,
    });
    const text = readFileSync(file, 'utf8');
    expect(parseRegistryText(text).document).toBeDefined();
    const learned = parse(text) as RegistryDocument;
    const [files, iam, mail] = learned.servers!;
    expect(files).toMatchObject({
      name: 'files',
      zone: 'internal',
      versions: ['1.0'],
      transports: ['stdio'],
      tools: [{ name: 'read', action: 'read', read_only: true, definition_digests: [REVIEWED, OTHER] }],
    });
    expect(iam?.tools).toEqual([
      { name: 'grant_role', action: 'write', read_only: false, privileged: true, requires_ticket: true },
    ]);
    expect(mail).toMatchObject({ zone: 'external' });
    expect(mail?.tools).toMatchObject([
      { name: 'send', egress: true },
      { name: 'unused', definition_digests: [OTHER] },
    ]);
    expect(learned.agents).toEqual([
      { id: 'admin', servers: ['iam'], tools: { allow: ['iam/grant_role'] }, grants: ['iam:write'] },
      { id: 'mailer', servers: ['mail'], tools: { allow: ['mail/send'] } },
      { id: 'bot-*', servers: ['files'], tools: { allow: ['files/read'] } },
    ]);
    expect(learned.destinations?.flatMap(({ hosts }) => hosts)).toEqual(['example.org', 'example.co.uk']);
    expect(learned.zones?.[0]?.destinations).toEqual(['10.1.1.1']);
    expect(text).toContain('# guessed by its name');
    expect(text).toContain('3 names were left out');
    expect(text).toContain('several definitions were seen');
  });

  it('never writes over a file', async () => {
    const { code, err } = await onData('learn', '--out', fileOf('mine.yaml', 'mine'));
    expect(code).toBe(2);
    expect(err).toContain('mine.yaml: EEXIST');
    expect(readFileSync(join(directory, 'mine.yaml'), 'utf8')).toBe('mine');
  });

  it('learns of one tenant, and from a time on, alone', async () => {
    const beta = JSON.parse((await onData('learn', '--tenant', 'beta', '--json')).out);
    expect(beta.document.servers.map(({ name }: { name: string }) => name)).toEqual(['mail']);
    const nothing = JSON.parse((await onData('learn', '--since', '1m', '--json')).out);
    expect(nothing.document.servers).toBeUndefined();
  });

  it.each([
    ['--since', 'yesterday'],
    ['--tenant', "x' OR 1"],
  ])('refuses %s %s by name', async (option, value) => {
    const { code, err } = await onData('learn', option, value);
    expect(code).toBe(2);
    expect(err).toContain(option);
  });
});

describe('custody registry drift', () => {
  it('tells what was seen and is not registered, and the other way round', async () => {
    const { code, out } = await onData('drift', '--json');
    expect(code).toBe(0);
    const { drift } = JSON.parse(out) as { drift: { kind: string; state: string; name: string }[] };
    const lines = drift.map(({ kind, state, name }) => `${state} ${kind} ${name}`);
    expect(lines).toEqual(
      expect.arrayContaining([
        'unregistered server iam',
        'unregistered tool iam/grant_role',
        'unregistered client desktop',
        'unregistered agent admin',
        'unregistered destination a.example.org',
        'version server files 1.0',
        `definition tool files/read ${OTHER}`,
        'unseen tool files/gone',
      ]),
    );
    expect(lines).not.toContain('unregistered agent bot-1');
    expect(lines).not.toContain('unregistered destination 10.1.1.1');
    expect(lines).not.toContain('unregistered agent someone');
    expect(lines).not.toContain('unseen server files');
  });

  it('shows names of senders without what could steer a terminal', async () => {
    const { out } = await onData('drift');
    expect(out).toContain('seen, not registered:');
    expect(out).toContain('evil\ufffd');
    expect(out).not.toContain('\u202e');
  });

  it('finds no drift against what was just learned of the same traffic but what cannot be registered', async () => {
    const file = join(directory, 'again.yaml');
    await onData('learn', '--out', file);
    const { out } = await onData('drift', '--json', '--file', file);
    const { drift } = JSON.parse(out) as { drift: { name: string }[] };
    expect(drift.map(({ name }) => name).sort()).toEqual(['*', 'evil\u202e', 'evil\u202e/a*']);
  });
});
