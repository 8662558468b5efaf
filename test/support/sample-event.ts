import { createHash } from 'node:crypto';

/** Bytes of a valid event about a tool call, about 1 kB; the same number gives the same bytes. */
export function sampleEvent(number: number, tenant = 'acme'): Uint8Array {
  const digest = createHash('sha256').update(String(number)).digest('hex');
  const nano = `${1_790_000_000_000 + number * 37}000000`;
  return Buffer.from(
    JSON.stringify({
      actor: { id: `agent-${number % 17}`, type: 'agent', user_id: `user-${number % 29}@example.com` },
      arguments: {
        digest,
        size_bytes: 200 + (number % 400),
        size_source: 'payload',
        summary: `{"path":"/srv/projects/${number % 97}/report.md","mode":"read","note":"${digest.slice(0, 32)}\\t\\"quoted\\""}`,
      },
      client: { name: 'desk-agent', version: '2.4.1' },
      destinations: number % 5 === 0 ? ['api.example.com', 'files.example.net'] : [],
      event_id: `${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`,
      kind: 'tool_call',
      observed_time_unix_nano: nano,
      phase: 'complete',
      policy: { decision: number % 11 === 0 ? 'deny' : 'allow', rule: `rule-${number % 7}` },
      result: { category: 'ok', size_bytes: 1000 + (number % 9000), size_source: 'payload' },
      schema: 'custody.event/v1',
      scope: { grants: ['files:read', 'files:list'], ttl_sec: 900 },
      server: { name: `server-${number % 5}`, version: '1.0.3' },
      session: { confidence: 'high', key: `session-${number % 211}`, source: 'mcp_session' },
      source: {
        collector: 'otlp_grpc',
        dialect: 'otel_mcp',
        name: 'tools/call',
        signal: 'span',
        vantage: 'gateway',
      },
      tenant,
      time_unix_nano: nano,
      tool: { action: 'read', call_id: `call-${number}`, name: `tool_${number % 41}` },
      trace: { span_id: digest.slice(0, 16), trace_id: digest.slice(0, 32) },
    }),
  );
}
