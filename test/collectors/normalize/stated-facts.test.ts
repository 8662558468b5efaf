import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemTypeOf } from '../../../collectors/normalize/stated-facts.ts';
import { bool, double, int, list, map, ofAudit, ofLog, ofSpan, ofTap, text, type Any } from './wire-forms.ts';

describe('what a server is made of', () => {
  const facts = {
    package: '@acme/files',
    package_version: '1.2.3',
    lockfile_digest: 'sha256:ab',
    signature: 'verified',
    critical_count: 2,
    deprecated: true,
  };

  it('is read from spans, logs and audit records', () => {
    const attributes = {
      'package.name': text('@acme/files'),
      'package.version': text('1.2.3'),
      'lockfile.digest': text('sha256:ab'),
      'package.signature': text('Valid'),
      'vulnerability.critical_count': int('2'),
      'package.deprecated': bool(true),
    };
    expect(ofSpan(attributes).supply_chain).toEqual(facts);
    expect(ofLog(attributes).supply_chain).toEqual(facts);
    expect(ofSpan({}, 'initialize', attributes).supply_chain).toEqual(facts);
    expect(ofAudit({ type: 'scan', supply_chain: facts }).supply_chain).toEqual(facts);
    expect(
      ofAudit({
        type: 'scan',
        package: { name: '@acme/files', version: '1.2.3', signature: 'good' },
        lockfile_hash: 'sha256:ab',
        cve_critical: '2',
        deprecated: 'yes',
      }).supply_chain,
    ).toEqual(facts);
  });

  it.each([
    ['verified', 'verified'],
    ['TRUE', 'verified'],
    ['unsigned', 'unsigned'],
    ['none', 'unsigned'],
    ['revoked', 'bad'],
    ['sigstore-bundle-v3', 'unknown'],
    ['constructor', 'unknown'],
  ])('knows the word %s for its signature as %s', (word, signature) => {
    expect(ofAudit({ package: 'p', package_signature: word }).supply_chain).toEqual({
      package: 'p',
      signature,
    });
  });

  it('takes words of any length', () => {
    const long = 'x'.repeat(1_000_000);
    expect(ofAudit({ package: 'p', package_signature: long }).supply_chain?.signature).toBe('unknown');
    expect(itemTypeOf(`server${long}`)).toBeUndefined();
    expect(itemTypeOf(`server${' '.repeat(1_000_000)}`)).toBeUndefined();
  });

  it('is not told by a signature, a version or a flag of nothing', () => {
    expect(ofAudit({ type: 'x', package_signature: 'verified' }).supply_chain).toBeUndefined();
    expect(ofAudit({ type: 'x', deprecated: true, package_version: '1' }).supply_chain).toBeUndefined();
    expect(ofTap('{"package":"p","critical_count":4}')[0]?.supply_chain).toBeUndefined();
  });

  it.each([-1, 1.5, '2 or 3', 'NaN', 1e300, '9'.repeat(400), [1, 2], { high: 3 }, true, null])(
    'never takes %j for a number of findings that it is not',
    (count) => {
      const found = ofAudit({ package: 'p', supply_chain: { critical_count: count } }).supply_chain;
      expect(found?.critical_count).toBe(count === 1.5 ? 1 : undefined);
    },
  );

  it('is bounded and redacted', () => {
    const found = ofAudit({
      package: `p?token=ghp_${'a'.repeat(36)}`,
      lockfile_digest: 'f'.repeat(100_000),
      package_version: ['1', { deep: true }],
    }).supply_chain;
    expect(found?.package).not.toContain('ghp_');
    expect(found?.lockfile_digest?.length).toBeLessThanOrEqual(128);
    expect(found?.package_version).toBe('["1",{"deep":true}]');
  });
});

describe('what changed', () => {
  it('is read from spans, logs and audit records, and makes of the record one of the registry', () => {
    const change = { item_type: 'limit', item: 'crm', field: 'rate', before: '10', after: '9000' };
    const attributes = {
      'change.type': text('Rate-Limit'),
      'change.target': text('crm'),
      'change.field': text('rate'),
      'change.old_value': int('10'),
      'change.new_value': int('9000'),
    };
    expect(ofSpan(attributes, 'set')).toMatchObject({ kind: 'registry', change });
    expect(ofLog(attributes)).toMatchObject({ kind: 'registry', change });
    expect(
      ofAudit({
        change_type: 'quota',
        changed_item: 'crm',
        changed_field: 'rate',
        old_value: 10,
        new_value: 9000,
      }),
    ).toMatchObject({ kind: 'registry', change });
    expect(ofAudit({ kind: 'registry', change })).toMatchObject({ kind: 'registry', change });
  });

  it.each([
    ['MCP server', 'server'],
    ['rate limit', 'limit'],
    ['Guardrail', 'policy'],
    ['Setting', 'config'],
    ['update', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
    ['', undefined],
  ])('takes the word %j for %s', (word, type) => {
    expect(itemTypeOf(word)).toBe(type);
  });

  it('is not told without a thing that has a name and a kind somebody knows', () => {
    expect(ofAudit({ change: { item_type: 'update', item: 'crm' } })).not.toHaveProperty('change');
    expect(ofAudit({ change: { item_type: 'server' } })).not.toHaveProperty('change');
    expect(ofAudit({ change: { item_type: ['server'], item: 'crm' } })).not.toHaveProperty('change');
    expect(ofAudit({ change: 'server crm' })).not.toHaveProperty('change');
    expect(ofTap('{"change":{"item_type":"server","item":"crm"}}')[0]).not.toHaveProperty('change');
  });

  it('shows values as they were, redacted and cut, whatever they are', () => {
    const key = `AKIA${'Q'.repeat(16)}`;
    const { change } = ofAudit({
      change: {
        item_type: 'config',
        item: 'gateway',
        before: { keys: [key], on: false },
        after: 'x'.repeat(1e6),
      },
    });
    expect(change?.before).toContain('"on":false');
    expect(change?.before).not.toContain(key);
    expect(change?.after?.length).toBeLessThanOrEqual(1024);
  });

  it('takes a secret out before it cuts, so that no half of one is left', () => {
    const secret = `ghp_${'b'.repeat(36)}`;
    const { change } = ofAudit({
      change: { item_type: 'config', item: 'c', after: `${'x '.repeat(505)}${secret}` },
    });
    expect(change?.after).not.toContain('ghp_');
  });
});

describe('what a component says of itself', () => {
  it('is read from spans, logs and audit records', () => {
    const health = { component: 'indexer', status: 'degraded', queue_depth: 400, dependency: 'kafka' };
    const attributes = {
      'health.component': text('indexer'),
      'health.status': text('Yellow'),
      'queue.depth': double(400.7),
      'health.dependency': text('kafka'),
    };
    expect(ofSpan(attributes, 'check').health).toEqual(health);
    expect(ofLog(attributes).health).toEqual(health);
    expect(ofAudit({ type: 'check', health: { ...health, status: 'warn' } }).health).toEqual(health);
    expect(
      ofAudit({
        type: 'check',
        'health.component': 'indexer',
        health_status: 'slow',
        queue_depth: '400',
      }).health,
    ).toEqual({ component: 'indexer', status: 'degraded', queue_depth: 400 });
  });

  it.each([
    ['OK', 'ok'],
    ['Passing', 'ok'],
    ['critical', 'failing'],
    ['offline', 'down'],
  ])('knows the word %s for %s', (word, status) => {
    expect(ofAudit({ health: { component: 'c', status: word } }).health).toEqual({ component: 'c', status });
  });

  it.each([
    [{ status: 'down' }],
    [{ component: 'c' }],
    [{ component: 'c', status: 'fine, thanks' }],
    [{ component: 'c', status: 'toString' }],
    [{ component: 'c', queue_depth: -3 }],
    [{ component: 'c', queue_depth: 'NaN' }],
    [{ component: '', status: 'down' }],
    [{ component: null, status: 'down' }],
    ['down'],
    [[{ component: 'c', status: 'down' }]],
  ])('says nothing when it says too little: %j', (health) => {
    expect(ofAudit({ type: 'check', health }).health).toBeUndefined();
  });

  it('cannot be said by the arguments or the result of a call', () => {
    const health = '{"health":{"component":"c","status":"down"},"queue_depth":9}';
    expect(ofTap(health, health).map((event) => event.health)).toEqual([undefined, undefined]);
    expect(ofAudit({ tool: 't', result: JSON.parse(health) as unknown }).health).toBeUndefined();
  });
});

describe('where a connection was made', () => {
  const network = {
    bind_address: '0.0.0.0:3000',
    host: 'mcp.example:3000',
    origin: 'https://evil.example',
    peer_address: '10.0.0.7',
  };

  it('is read from spans, where a header is the list of its values', () => {
    const headers = (one: (value: string) => Any) => ({
      'server.bind_address': text('0.0.0.0:3000'),
      'http.request.header.host': one('mcp.example:3000'),
      'http.request.header.origin': one('https://evil.example'),
      'network.peer.address': text('10.0.0.7'),
    });
    expect(ofSpan(headers((value) => list(text(value)))).network).toEqual(network);
    expect(ofSpan(headers(text)).network).toEqual(network);
    expect(ofLog(headers((value) => list(text(value)))).network).toEqual(network);
  });

  it('is read from audit records', () => {
    expect(ofAudit({ type: 'x', network }).network).toEqual(network);
    expect(
      ofAudit({
        type: 'x',
        listen_address: '0.0.0.0:3000',
        headers: { origin: 'https://evil.example', host: 'mcp.example:3000' },
        peer_address: '10.0.0.7',
      }).network,
    ).toEqual(network);
  });

  it('shows every value of a header that came twice', () => {
    const twice = list(text('localhost:3000'), text('evil.example'));
    expect(ofSpan({ 'http.request.header.host': twice }).network).toEqual({
      host: 'localhost:3000, evil.example',
    });
  });

  it.each<[Any, string | undefined]>([
    [list(), undefined],
    [text(''), undefined],
    [int(7), '7'],
    [list(int(7)), '[7]'],
    [map({ a: text('b') }), '{"a":"b"}'],
  ])('takes any value for a header: %j', (value, host) => {
    expect(ofSpan({ 'http.request.header.host': value }).network?.host).toBe(host);
  });

  it('holds no more of a header than a name, and no secret of it', () => {
    const origin = `https://user:${'p'.repeat(20)}@evil.example/${'x'.repeat(100_000)}`;
    const found = ofSpan({ 'http.request.header.origin': list(text(origin)) }).network?.origin;
    expect(found?.length).toBeLessThanOrEqual(256);
    expect(found).not.toContain('ppp');
  });
});

describe('whatever is sent', () => {
  const paths = [
    ...['package', 'supply_chain', 'lockfile_digest', 'package_signature', 'critical_count', 'deprecated'],
    ...['change', 'change_type', 'changed_item', 'old_value', 'health', 'health_status', 'queue_depth'],
    ...['network', 'origin', 'headers', 'peer_address', 'bind_address', 'item_count', 'count', 'arguments'],
  ];

  it('gives a valid event', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 5 }), { minKeys: 1 }),
        (record) => {
          // Absent and empty members alone are no record.
          expect(ofAudit({ type: 'x', ...record }).tenant).toBe('default');
        },
      ),
      { numRuns: 150 },
    );
  });

  it('however deep or large leaves a bounded event', () => {
    let deep: unknown = 'x';
    for (let level = 0; level < 5_000; level += 1) deep = level % 2 === 0 ? [deep] : { deep };
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, index]));
    const long = Array.from({ length: 1_000_000 }, () => 1);
    for (const value of [deep, wide, long, 'x'.repeat(1e6)])
      for (const path of ['package', 'change', 'health', 'network', 'item_count', 'old_value']) {
        const event = ofAudit({ type: 'x', change_type: 'server', changed_item: 'c', [path]: value });
        expect(JSON.stringify(event).length).toBeLessThan(300_000);
      }
  });
});
