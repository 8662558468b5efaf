import { normalizeAudit } from '../../../collectors/normalize/audit.ts';
import type { NormalizeContext } from '../../../collectors/normalize/context.ts';
import { encodeEvent } from '../../../collectors/normalize/encode.ts';
import { normalizeLog } from '../../../collectors/normalize/log.ts';
import { normalizeSpan } from '../../../collectors/normalize/span.ts';
import { decodeJsonLogs } from '../../../collectors/otlp/json-logs.ts';
import { decodeJsonTraces } from '../../../collectors/otlp/json-traces.ts';
import { decodeLimits } from '../../../collectors/otlp/limits.ts';
import { createConversation } from '../../../collectors/tap/conversation.ts';
import { configSchema } from '../../../schemas/config.ts';
import { eventSchema, type CustodyEvent } from '../../../schemas/event.ts';

const limits = decodeLimits(configSchema.parse({}).ingest);
const digestKey = Buffer.alloc(32, 7);
const context: NormalizeContext = {
  collector: 'otlp_http',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1763700001000000000',
  digestKey,
};

/** As it comes out of the log: a valid event, or the test fails. */
const written = (event: CustodyEvent): CustodyEvent =>
  eventSchema.parse(JSON.parse(Buffer.from(encodeEvent(event)).toString()));

/** A value of an attribute as OTLP JSON has it. */
export type Any =
  | { readonly stringValue: string }
  | { readonly intValue: string | number }
  | { readonly doubleValue: number | string }
  | { readonly boolValue: boolean }
  | { readonly arrayValue: { readonly values: readonly Any[] } }
  | { readonly kvlistValue: { readonly values: readonly { readonly key: string; readonly value: Any }[] } };

type Attributes = Readonly<Record<string, Any>>;
const pairs = (attributes: Attributes) => Object.entries(attributes).map(([key, value]) => ({ key, value }));

/** The event of a span with these attributes, sent as OTLP JSON. */
export function ofSpan(
  attributes: Attributes,
  name = 'tools/call x',
  resource: Attributes = {},
): CustodyEvent {
  const span = {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    name,
    kind: 3,
    startTimeUnixNano: '1763700000000000000',
    endTimeUnixNano: '1763700000000000001',
    attributes: pairs(attributes),
  };
  const body = {
    resourceSpans: [{ resource: { attributes: pairs(resource) }, scopeSpans: [{ spans: [span] }] }],
  };
  const [item] = [...decodeJsonTraces(Buffer.from(JSON.stringify(body)), limits)];
  if (item?.value === undefined) throw new Error('no span was read');
  return written(normalizeSpan(item.value, context));
}

/** The event of a log record with these attributes, sent as OTLP JSON. */
export function ofLog(attributes: Attributes, eventName = 'event'): CustodyEvent {
  const record = { timeUnixNano: '1763700000000000000', eventName, attributes: pairs(attributes) };
  const body = { resourceLogs: [{ resource: {}, scopeLogs: [{ logRecords: [record] }] }] };
  const [item] = [...decodeJsonLogs(Buffer.from(JSON.stringify(body)), limits)];
  if (item?.value === undefined) throw new Error('no log record was read');
  return written(normalizeLog(item.value, context));
}

export function ofAudit(record: unknown): CustodyEvent {
  return written(normalizeAudit(record, { ...context, collector: 'audit_http' }));
}

/** The events a tap makes of a call with these arguments (as JSON text) and of its answer. */
export function ofTap(args: string, result = '{"content":[]}'): readonly CustodyEvent[] {
  const conversation = createConversation({
    tap: { instance: '0123', serverName: 'x' },
    tenant: 'acme',
    digestKey,
  });
  const observe = (text: string, fromClient: boolean) => [
    ...conversation.observe(
      { kind: 'whole', bytes: Buffer.from(text), terminated: true },
      fromClient ? 'client_to_server' : 'server_to_client',
      '1763700000000000000',
    ),
  ];
  return [
    ...observe(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":${args}}}`,
      true,
    ),
    ...observe(`{"jsonrpc":"2.0","id":1,"result":${result}}`, false),
  ].map(written);
}

export const text = (stringValue: string): Any => ({ stringValue });
export const int = (intValue: string | number): Any => ({ intValue });
export const double = (doubleValue: number | string): Any => ({ doubleValue });
export const bool = (boolValue: boolean): Any => ({ boolValue });
export const list = (...values: Any[]): Any => ({ arrayValue: { values } });
export const map = (members: Attributes): Any => ({ kvlistValue: { values: pairs(members) } });
