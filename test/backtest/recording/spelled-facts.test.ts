import { describe, expect, test } from 'vitest';
import type { CustodyEvent } from '../../../schemas/event.ts';
import { eventsIn } from './lines-file.ts';

const base = { ts: '2026-01-01T00:00:00Z', session: 's1', tenant: 'acme', agent: 'a1', seq: 0 };

/** The first event of a record with these members. */
async function eventOf(members: object): Promise<CustodyEvent> {
  const { events } = await eventsIn([{ ...base, ...members }]);
  const [first] = events;
  if (first === undefined) throw new Error('the record became no event');
  return first.event;
}

const call = { tool: 'update_rows', server: 'db', kind: 'write' };

describe('facts in other spellings', () => {
  test.each<[string, object, object]>([
    ['grants as words', { grants: 'read:x write:x' }, { scope: { grants: ['read:x', 'write:x'] } }],
    ['scope.grants', { 'scope.grants': ['read:x'] }, { scope: { grants: ['read:x'] } }],
    [
      'nested scope with another name',
      { scope: { grants: ['a'], ttl: 300 } },
      { scope: { grants: ['a'], ttl_sec: 300 } },
    ],
    ['ttl', { ttl_sec: 60 }, { scope: { ttl_sec: 60 } }],
    ['audience', { aud: 'https://other.example' }, { scope: { audience: 'https://other.example' } }],
    ['token age in days', { token: { age_sec: 86_400 } }, { scope: { age_sec: 86_400 } }],
    ['ticket', { ticket: 'CHG-9' }, { policy: { ticket: 'CHG-9' } }],
    ['approval that is a ticket', { approval: 'CHG-9' }, { policy: { ticket: 'CHG-9' } }],
    ['approval that is a decision', { approval: 'denied' }, { policy: { decision: 'deny' } }],
    ['policy in one word', { policy: 'deny' }, { policy: { decision: 'deny' } }],
    ['decision', { decision: 'allow' }, { policy: { decision: 'allow' } }],
    ['count', { count: 4200 }, { item_count: 4200 }],
    ['rows affected, as text', { rowsAffected: '17' }, { item_count: 17 }],
    ['retries', { retries: 4 }, { retry_count: 4 }],
    ['plan depth', { planDepth: 14 }, { plan_depth: 14 }],
    ['cost', { cost_usd: 1.5, tokens: 900 }, { cost: { usd: 1.5, input_tokens: 900 } }],
    ['bind address', { bind: '0.0.0.0:8080' }, { network: { bind_address: '0.0.0.0:8080' } }],
    [
      'origin and host',
      { origin: 'http://evil.example', host: 'localhost:3000' },
      { network: { origin: 'http://evil.example', host: 'localhost:3000' } },
    ],
    [
      'environment and client',
      { env: 'prod', client: 'desk' },
      { environment: 'prod', client: { name: 'desk' } },
    ],
    [
      'hints',
      { readOnlyHint: false, destructiveHint: true },
      { tool: { annotations: { read_only: false, destructive: true } } },
    ],
    ['idempotency key', { idem: { key: 'k1' } }, { idempotency_key: 'k1' }],
    ['sequence', { sequence_no: 12 }, { source: { sequence: '12' } }],
  ])('%s', async (_name, members, expected) => {
    expect(await eventOf({ ...call, ...members })).toMatchObject(expected);
  });

  test.each<[string, object, object]>([
    [
      'an authentication that failed',
      { kind: 'auth', outcome: 'failure' },
      { kind: 'auth', result: { category: 'error' } },
    ],
    [
      'a type of record',
      { type: 'auth.failure', error_code: 401 },
      { kind: 'auth', result: { category: 'denied' } },
    ],
    [
      'health',
      { kind: 'health', server: 'db', status: 'x', queue: 9000 },
      { health: { component: 'db', queue_depth: 9000 } },
    ],
    [
      'supply chain',
      { kind: 'server.install', server: 'db', package: { name: 'left', version: '2', signed: false } },
      { kind: 'registry', supply_chain: { package: 'left', package_version: '2', signature: 'unsigned' } },
    ],
    [
      'a change',
      {
        type: 'config.change',
        server: 'db',
        change: { item_type: 'zone', item: 'dmz' },
        before: 'a',
        after: 'b',
      },
      { kind: 'registry', change: { item_type: 'zone', item: 'dmz', before: 'a', after: 'b' } },
    ],
  ])('%s', async (_name, members, expected) => {
    expect(await eventOf(members)).toMatchObject(expected);
  });

  test('a list of tools is described as the collector describes it, and another text gives another digest', async () => {
    const listed = (description: string) =>
      eventOf({
        kind: 'tools/list',
        server: 'db',
        tools: [{ name: 'q', description, inputSchema: { type: 'object' } }],
      });
    const [first, second] = [await listed('reads'), await listed('reads and sends')];
    expect(first.kind).toBe('tool_list');
    expect(first.tool_definitions?.['q']).toMatch(/^[0-9a-f]{64}$/);
    expect(second.tool_definitions?.['q']).not.toBe(first.tool_definitions?.['q']);
  });

  test('a definition digest of any form is kept as one of ours: equal for equal ones', async () => {
    const digest = async (text: string) =>
      (await eventOf({ ...call, definition_hash: text })).tool?.definition_digest;
    expect(await digest('v1:abc')).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest('v1:abc')).toBe(await digest('v1:abc'));
    expect(await digest('v1:abd')).not.toBe(await digest('v1:abc'));
  });

  test('values that do not fit their place are left where they are, and secrets in them are redacted', async () => {
    const event = await eventOf({
      ...call,
      count: -3,
      policy: { decision: 'perhaps' },
      network: { origin: 7 },
      host: `x ghp_${'a'.repeat(36)}`,
    });
    expect(event.item_count).toBeUndefined();
    expect(JSON.stringify(event)).not.toContain('a'.repeat(36));
    expect(event.network?.host).toContain('x ');
  });
});
