import { unixNano } from '../runtime/clock.ts';
import type { CaseEntry } from './case-data.ts';

type AttributeValue = string | number | boolean;

/**
 * The span an event tells of, as one line of OTLP JSON (an ExportTraceServiceRequest), for tools that read traces; nothing
 * for an event without trace and span id. It is derived: built from the redacted event, not what the sender sent. The
 * attributes `custody.log` and `custody.seq` lead to the entry that counts.
 */
export function spanLine({ log, seq, appendTimeMs, event }: CaseEntry): string | undefined {
  const trace = event?.trace;
  if (event === undefined || trace?.trace_id === undefined || trace.span_id === undefined) return undefined;
  const attributes: Record<string, AttributeValue | undefined> = {
    'custody.derived': true,
    'custody.log': log,
    'custody.seq': String(seq),
    'custody.append_time_unix_nano': unixNano(appendTimeMs),
    'custody.event_id': event.event_id,
    'custody.kind': event.kind,
    'gen_ai.agent.id': event.actor?.id,
    'gen_ai.tool.name': event.tool?.name,
    'gen_ai.tool.call.id': event.tool?.call_id,
    'mcp.method.name': event.mcp?.method,
    'mcp.session.id': event.mcp?.session_id,
    'custody.session_key': event.session?.key,
    'custody.policy.decision': event.policy?.decision,
    'custody.result.category': event.result?.category,
  };
  const category = event.result?.category;
  const span = {
    traceId: trace.trace_id,
    spanId: trace.span_id,
    ...(trace.parent_span_id === undefined ? {} : { parentSpanId: trace.parent_span_id }),
    name: event.source.name ?? event.mcp?.method ?? event.kind,
    kind: event.source.vantage === 'server' ? 2 : 3,
    startTimeUnixNano: event.time_unix_nano,
    endTimeUnixNano: event.end_time_unix_nano ?? event.time_unix_nano,
    attributes: attributesOf(attributes),
    ...(category === undefined ? {} : { status: { code: category === 'ok' ? 1 : 2 } }),
  };
  const resource = { 'service.name': event.server?.name, 'service.version': event.server?.version };
  const scope = { name: 'custody', attributes: attributesOf({ 'custody.dialect': event.source.dialect }) };
  return `${JSON.stringify({
    resourceSpans: [
      { resource: { attributes: attributesOf(resource) }, scopeSpans: [{ scope, spans: [span] }] },
    ],
  })}\n`;
}

function attributesOf(values: Readonly<Record<string, AttributeValue | undefined>>) {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined
      ? []
      : [{ key, value: typeof value === 'boolean' ? { boolValue: value } : { stringValue: String(value) } }],
  );
}
