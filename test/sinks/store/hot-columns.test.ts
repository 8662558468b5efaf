import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Alert, alertSchema } from '../../../schemas/alert.ts';
import { type CustodyEvent, eventSchema } from '../../../schemas/event.ts';
import { hotColumns } from '../../../sinks/store/hot-columns.ts';
import { sealed, source, START_MS, startStore, type StoreHarness } from './ledger-harness.ts';

const EVENT_ID = '5f0c0c0e-0000-5000-8000-000000000001';
const hex = (character: string, length: number) => character.repeat(length);
const base = {
  schema: 'custody.event/v1',
  event_id: EVENT_ID,
  kind: 'tool_call',
  tenant: 'acme',
  time_unix_nano: '1790000000123456789',
  observed_time_unix_nano: '1790000001000000000',
  source: { collector: 'otlp_grpc', signal: 'span', dialect: 'otel_semconv', vantage: 'gateway' },
} satisfies CustodyEvent;
const full: CustodyEvent = eventSchema.parse({
  ...base,
  phase: 'complete',
  trace: { trace_id: hex('a', 32), span_id: hex('b', 16) },
  actor: { id: 'agent-1', type: 'agent', user_id: 'user-1', runtime_id: 'pod-1' },
  client: { name: 'desk' },
  server: { name: 'files', version: '1.2.3' },
  tool: { name: 'read_file', call_id: 'call-1', action: 'read' },
  session: { key: 'session-1', source: 'mcp_session', confidence: 'high' },
  arguments: { summary: '{"path":"/srv/\\u20ac"}', digest: hex('c', 64), size_bytes: 123 },
  result: { summary: 'line 1\nline 2', category: 'ok', size_bytes: 9_007_199_254_740_991 },
  destinations: ['api.example.com', '10.0.0.1'],
  scope: { grants: ['files:read', 'files:list'], ttl_sec: 900 },
  policy: { decision: 'allow', rule: 'rule-7', ticket: 'CHG-1' },
  pii: { count: 4, redactions: { email: 2, iban: 3 } },
  idempotency_key: 'once-1',
});
const alert: Alert = alertSchema.parse({
  schema: 'custody.alert/v1',
  alert_id: '5f0c0c0e-0000-5000-8000-00000000000a',
  detector: { id: 'exfil-spike', version: 1 },
  time_unix_nano: '1790000002000000000',
  tenant: 'acme',
  title: 'Much more data than usual',
  severity: 'high',
  score: 0.875,
  reason: 'agent-1 read much',
  observed: '9 GiB',
  normal: '1 MiB',
  distance: '9216 times',
  dedup_key: 'exfil/agent-1',
  evidence: [EVENT_ID],
  session_key: 'session-1',
  trace_id: hex('a', 32),
  actor_id: 'agent-1',
  user_id: 'user-1',
  server_name: 'files',
  tool_name: 'read_file',
  policy_decision: 'allow',
  destinations: ['api.example.com'],
  references: { owasp: ['ASI02'], atlas: ['AML.T0024'], attack: ['T1041'] },
});
const times = {
  '0': '1970-01-01 00:00:00.000000',
  '999': '1970-01-01 00:00:00.000000',
  '7258118399999999999': '2199-12-31 23:59:59.999999',
  '7258118400000000000': '2199-12-31 23:59:59.999999',
  '18446744073709551615': '2199-12-31 23:59:59.999999',
  '18446744073709551616': '2199-12-31 23:59:59.999999',
  '99999999999999999999': '2199-12-31 23:59:59.999999',
};

let harness: StoreHarness;
beforeAll(async () => {
  harness = await startStore();
  const body = (value: unknown) => ({ value: Buffer.from(JSON.stringify(value)) });
  const timed = Object.keys(times).map((time_unix_nano) => body({ ...base, time_unix_nano }));
  await harness
    .store()
    .append(sealed([body(full), body(base), ...timed, { value: Buffer.from([0xff, 0x7b]) }]));
  await harness
    .store()
    .append(sealed([body(alert)], { ...source, topic: 'custody.alerts', topicId: 't-alerts' }));
});
afterAll(() => harness.close());

async function record(from: string, where: string): Promise<Record<string, unknown>> {
  const names = from === 'custody.entries' ? hotColumns.map(({ name }) => name) : await columnsOf(from);
  const [row, ...more] = await harness.rows(`SELECT ${names.join()} FROM ${from} WHERE ${where}`);
  expect(more).toEqual([]);
  return Object.fromEntries(names.map((name, index) => [name, row?.[index]]));
}
const columnsOf = async (table: string) =>
  (
    await harness.rows(
      `SELECT name FROM system.columns WHERE database || '.' || table = '${table}' ORDER BY position`,
    )
  ).map(([name]) => String(name));

const nothing = Object.fromEntries(
  hotColumns.map(({ name, type }) => [
    name,
    type.startsWith('Array')
      ? []
      : type.startsWith('DateTime')
        ? '1970-01-01 00:00:00.000000'
        : type.includes('String')
          ? ''
          : 0,
  ]),
);
const fullRow = {
  ...nothing,
  event_id: EVENT_ID,
  event_kind: 'tool_call',
  phase: 'complete',
  event_time: '2026-09-21 14:13:20.123456',
  actor_id: 'agent-1',
  actor_type: 'agent',
  user_id: 'user-1',
  runtime_id: 'pod-1',
  client_name: 'desk',
  server_name: 'files',
  server_version: '1.2.3',
  tool_name: 'read_file',
  tool_action: 'read',
  tool_call_id: 'call-1',
  session_key: 'session-1',
  session_source: 'mcp_session',
  policy_decision: 'allow',
  policy_rule: 'rule-7',
  ticket: 'CHG-1',
  result_category: 'ok',
  arguments_bytes: 123,
  result_bytes: 9_007_199_254_740_991,
  arguments_digest: hex('c', 64),
  destinations: ['api.example.com', '10.0.0.1'],
  grants: ['files:read', 'files:list'],
  scope_ttl_sec: 900,
  trace_id: hex('a', 32),
  span_id: hex('b', 16),
  pii_count: 4,
  redaction_count: 5,
  idempotency_key: 'once-1',
  dialect: 'otel_semconv',
  collector: 'otlp_grpc',
};

describe('hot columns', () => {
  it('hold each fact of a full event', async () => {
    expect(await record('custody.entries', "topic = 'custody.events' AND seq = 1")).toEqual(fullRow);
  });

  it('are empty or zero for facts an event does not have', async () => {
    expect(await record('custody.entries', "topic = 'custody.events' AND seq = 2")).toEqual({
      ...nothing,
      event_id: EVENT_ID,
      event_kind: 'tool_call',
      event_time: '2026-09-21 14:13:20.123456',
      dialect: 'otel_semconv',
      collector: 'otlp_grpc',
    });
  });

  it('hold each fact of a full alert', async () => {
    expect(await record('custody.entries', "topic = 'custody.alerts' AND seq = 1")).toEqual({
      ...nothing,
      event_time: '2026-09-21 14:13:22.000000',
      actor_id: 'agent-1',
      user_id: 'user-1',
      server_name: 'files',
      tool_name: 'read_file',
      session_key: 'session-1',
      policy_decision: 'allow',
      destinations: ['api.example.com'],
      trace_id: hex('a', 32),
      alert_id: alert.alert_id,
      detector_id: 'exfil-spike',
      severity: 'high',
      score: 0.875,
      title: 'Much more data than usual',
    });
  });

  it('are all empty for a body that is no JSON', async () => {
    expect(await record('custody.entries', "kind = 'malformed'")).toEqual(nothing);
  });

  it('show times from 1970 to 2199 and never overflow beyond', async () => {
    const rows = await harness.rows(
      "SELECT JSONExtractString(body, 'time_unix_nano'), event_time FROM custody.entries WHERE topic = 'custody.events' AND seq BETWEEN 3 AND 9",
    );
    expect(Object.fromEntries(rows)).toEqual(times);
  });
});

describe('views', () => {
  it('custody.tool_calls has one row per tool call with its summaries and its leaf', async () => {
    expect(await harness.rows('SELECT count() FROM custody.tool_calls')).toEqual([
      [2 + Object.keys(times).length],
    ]);
    const row = await record('custody.tool_calls', 'seq = 1');
    const [, leaf] = sealed([{ value: Buffer.from(JSON.stringify(full)) }]);
    const shared = Object.fromEntries(Object.entries(fullRow).filter(([name]) => name in row));
    expect(row).toEqual({
      ...shared,
      append_time: new Date(START_MS).toISOString().replace('T', ' ').replace('Z', ''),
      tenant: 'acme',
      arguments_summary: '{"path":"/srv/\\u20ac"}',
      result_summary: 'line 1\nline 2',
      log: 'test/acme/t-events-0/0',
      seq: 1,
      leaf_hash: leaf?.leaf,
    });
  });

  it('custody.alerts has one row per alert with what explains it', async () => {
    expect(await record('custody.alerts', '1')).toMatchObject({
      alert_id: alert.alert_id,
      reason: alert.reason,
      observed: alert.observed,
      normal: alert.normal,
      distance: alert.distance,
      dedup_key: alert.dedup_key,
      evidence: alert.evidence,
      ...alert.references,
      score: 0.875,
      seq: 1,
    });
  });
});
