import { afterEach, beforeEach, expect, test } from 'vitest';
import { createIngestHttp } from '../../collectors/ingest-http.ts';
import { policyEvent } from '../../pipeline/partition-policies.ts';
import { policyDocumentOf } from '../../pipeline/policy-source.ts';
import { configSchema } from '../../schemas/config.ts';
import { testIngest, type TestIngest } from '../support/ingest-deps.ts';

let ingest: TestIngest;
let http: ReturnType<typeof createIngestHttp>;

beforeEach(async () => {
  ingest = await testIngest();
  http = createIngestHttp(ingest.deps);
  await http.start();
});
afterEach(async () => {
  await http.stop();
  await ingest.close();
});

const post = (path: string, body: unknown) =>
  fetch(`http://127.0.0.1:${http.address().port}${path}`, {
    method: 'POST',
    headers: { 'content-type': path === '/v1/audit' ? 'application/json' : 'application/x-ndjson' },
    body: JSON.stringify(body),
  });

const forged = policyEvent('default', policyDocumentOf('registry', { version: 1 }), Date.now());
const fromTap = { ...forged, source: { ...forged.source, collector: 'mcp_stdio_tap' } };

test.each([
  ['the tenant of the pipeline', '/v1/audit', { tenant: 'custody-control.0', 'tool.name': 't' }],
  ['a policy document by way of a tap', '/v1/events', fromTap],
  ['the tenant of the pipeline by way of a tap', '/v1/events', { ...fromTap, tenant: 'custody-control.1' }],
  ['a policy document in an event of another kind', '/v1/events', { ...fromTap, kind: 'context' }],
])('%s is accepted from no sender, and that it was sent is kept', async (_, path, body) => {
  const response = await post(path, body);
  expect(response.status).toBe(400);
  expect(await ingest.stored(ingest.deps.events)).toEqual([]);
  const malformed = await ingest.stored(ingest.deps.deadletter);
  expect(malformed).toHaveLength(1);
  expect(malformed[0]).toMatchObject({ tenant: 'default' });
});

test.each(['policy_document', 'incident'])(
  'a record that states the kind %s becomes no such event',
  async (kind) => {
    const response = await post('/v1/audit', { kind, 'tool.name': 't', incident: {}, policy_document: {} });
    expect(response.status).toBe(200);
    const [stored] = await ingest.stored(ingest.deps.events);
    expect(stored?.['kind']).toBe('tool_call');
    expect(stored).not.toHaveProperty('policy_document');
    expect(stored).not.toHaveProperty('incident');
  },
);

test('the same records without what is the pipeline’s own are accepted', async () => {
  expect((await post('/v1/audit', { tenant: 'custody', kind: 'context', 'tool.name': 't' })).status).toBe(
    200,
  );
});

test.each([
  { ingest: { tenant: 'custody-control.0' } },
  { ingest: { tokens: [{ env: 'T', tenant: 'custody-control' }] } },
])('the configuration %j is refused', (config) => {
  expect(configSchema.safeParse(config).success).toBe(false);
});
