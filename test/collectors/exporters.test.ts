import { SpanStatusCode, SpanKind, type Attributes } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { Metadata } from '@grpc/grpc-js';
import { OTLPLogExporter as LogsGrpc } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as LogsJson } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as LogsProto } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as TracesGrpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as TracesJson } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as TracesProto } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { tracing } from '@opentelemetry/sdk-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngestGrpc, type IngestGrpc } from '../../collectors/ingest-grpc.ts';
import { createIngestHttp, type IngestHttp } from '../../collectors/ingest-http.ts';
import { eventSchema } from '../../schemas/event.ts';
import { testIngest, type TestIngest } from '../support/ingest-deps.ts';

const TOKEN = 'exporter-token';
let ingest: TestIngest;
let http: IngestHttp;
let grpc: IngestGrpc;

beforeAll(async () => {
  ingest = await testIngest({}, { tokens: [{ value: TOKEN, tenant: 'acme' }] });
  http = createIngestHttp(ingest.deps);
  grpc = createIngestGrpc(ingest.deps);
  await http.start();
  await grpc.start();
});

afterAll(async () => {
  await http.stop();
  await grpc.stop();
  await ingest.close();
});

const headers = { authorization: `Bearer ${TOKEN}` };

function grpcOptions() {
  const metadata = new Metadata();
  metadata.set('authorization', headers.authorization);
  const { host, port } = grpc.address();
  return { url: `http://${host}:${port}`, metadata };
}
const httpOptions = (path: string) => {
  const { host, port } = http.address();
  return { url: `http://${host}:${port}${path}`, headers };
};

const CASES = ['gRPC', 'HTTP/protobuf', 'HTTP/JSON'].flatMap((transport) =>
  ['none', 'gzip'].map((compression) => [transport, compression] as const),
);

function traceExporter(transport: string, compression: string) {
  if (transport === 'gRPC') return new TracesGrpc({ ...grpcOptions(), compression: compression as never });
  const options = { ...httpOptions('/v1/traces'), compression: compression as never };
  return transport === 'HTTP/JSON' ? new TracesJson(options) : new TracesProto(options);
}

function logExporter(transport: string, compression: string): LogRecordExporter {
  if (transport === 'gRPC') return new LogsGrpc({ ...grpcOptions(), compression: compression as never });
  const options = { ...httpOptions('/v1/logs'), compression: compression as never };
  return transport === 'HTTP/JSON' ? new LogsJson(options) : new LogsProto(options);
}

const attributes: Attributes = {
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'search_docs',
  'gen_ai.tool.call.arguments': '{"query":"Schlüssel 🔑"}',
  'server.port': 443,
  tags: ['a', 'b'],
};

describe('the exporters of OpenTelemetry', () => {
  it.each(CASES)('deliver spans over %s with compression %s', async (transport, compression) => {
    const before = (await ingest.stored(ingest.deps.events)).length;
    const provider = new tracing.BasicTracerProvider({
      spanProcessors: [new tracing.BatchSpanProcessor(traceExporter(transport, compression))],
    });
    const tracer = provider.getTracer('exporter-test', '1.2.3');
    const ids = Array.from({ length: 5 }, (_, i) => {
      const span = tracer.startSpan('tools/call search_docs', { kind: SpanKind.CLIENT, attributes });
      span.addEvent('progress', { step: i });
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'tool_error' });
      span.end();
      return span.spanContext();
    });
    await provider.forceFlush();
    await provider.shutdown();
    const events = (await ingest.stored(ingest.deps.events)).slice(before);
    expect(events.map((event) => eventSchema.parse(event).tenant)).toEqual(Array(5).fill('acme'));
    expect(events.map(({ trace }) => trace.span_id)).toEqual(ids.map(({ spanId }) => spanId));
    expect(events[0]).toMatchObject({ kind: 'tool_call', tool: { name: 'search_docs' } });
  });

  it.each(CASES)('deliver log records over %s with compression %s', async (transport, compression) => {
    const before = (await ingest.stored(ingest.deps.events)).length;
    const provider = new LoggerProvider({
      processors: [new BatchLogRecordProcessor({ exporter: logExporter(transport, compression) })],
    });
    const logger = provider.getLogger('exporter-test');
    for (let i = 0; i < 5; i++) {
      logger.emit({
        eventName: 'claude_code.tool_result',
        severityNumber: SeverityNumber.INFO,
        body: { text: 'done', step: i, nested: [1, null, true] },
        attributes: { tool_name: 'Bash', success: 'true', 'event.sequence': i },
      });
    }
    await provider.forceFlush();
    await provider.shutdown();
    const events = (await ingest.stored(ingest.deps.events)).slice(before);
    expect(events).toHaveLength(5);
    for (const event of events) expect(eventSchema.parse(event).source.signal).toBe('log');
  });

  it('have left nothing malformed', async () => {
    expect(await ingest.stored(ingest.deps.deadletter)).toEqual([]);
  });
});
