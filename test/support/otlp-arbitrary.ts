import fc from 'fast-check';

/** Export requests as protobufjs takes them: camelCase, ids as bytes, 64-bit values as decimal strings. */
const uint64 = fc.bigInt({ min: 0n, max: 18_446_744_073_709_551_615n }).map(String);
const int64 = fc.oneof(
  fc.bigInt({ min: -9_223_372_036_854_775_808n, max: 9_223_372_036_854_775_807n }).map(String),
  fc.integer().map(String),
);
const uint32 = fc.nat(0xffffffff);
const text = fc.string({ unit: 'grapheme', maxLength: 80 });
const bytesOf = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).filter((id) => id.some((byte) => byte !== 0));

const { anyValue, keyValue } = fc.letrec<{
  anyValue: Record<string, unknown>;
  keyValue: { key: string; value: Record<string, unknown> };
}>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: int64 }),
    fc.record({ doubleValue: fc.double() }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 40 }) }),
    fc.constant({}),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('anyValue'), { maxLength: 4 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: fc.array(tie('keyValue'), { maxLength: 4 }) }) }),
  ),
  keyValue: fc.record({ key: text, value: tie('anyValue') }),
}));

const attributes = fc.array(keyValue, { maxLength: 8 });
const resource = fc.record({ attributes });
const scope = fc.record({ name: text, version: text, attributes });

const span = fc.record({
  traceId: bytesOf(16),
  spanId: bytesOf(8),
  parentSpanId: fc.oneof(bytesOf(8), fc.constant(new Uint8Array(0))),
  traceState: text,
  flags: uint32,
  name: text,
  kind: fc.nat(5),
  startTimeUnixNano: uint64,
  endTimeUnixNano: uint64,
  attributes,
  droppedAttributesCount: fc.nat(1000),
  events: fc.array(fc.record({ name: text, timeUnixNano: uint64, attributes }), { maxLength: 3 }),
  links: fc.array(fc.record({ traceId: bytesOf(16), spanId: bytesOf(8), attributes }), { maxLength: 2 }),
  status: fc.record({ code: fc.nat(2), message: text }),
});

const logRecord = fc.record({
  timeUnixNano: uint64,
  observedTimeUnixNano: uint64,
  severityNumber: fc.nat(24),
  severityText: text,
  body: anyValue,
  attributes,
  droppedAttributesCount: fc.nat(1000),
  flags: uint32,
  traceId: fc.oneof(bytesOf(16), fc.constant(new Uint8Array(0))),
  spanId: fc.oneof(bytesOf(8), fc.constant(new Uint8Array(0))),
  eventName: text,
});

export const traceRequests = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource,
      scopeSpans: fc.array(fc.record({ scope, spans: fc.array(span, { maxLength: 4 }) }), { maxLength: 2 }),
      schemaUrl: text,
    }),
    { maxLength: 2 },
  ),
});

export const logRequests = fc.record({
  resourceLogs: fc.array(
    fc.record({
      resource,
      scopeLogs: fc.array(fc.record({ scope, logRecords: fc.array(logRecord, { maxLength: 4 }) }), {
        maxLength: 2,
      }),
    }),
    { maxLength: 2 },
  ),
});

const ID_FIELDS = new Set(['traceId', 'spanId', 'parentSpanId']);

/** The same request as OTLP JSON: ids in hex, bytes in base64, doubles JSON cannot hold as strings. */
export function asOtlpJson(request: Record<string, unknown>): string {
  return JSON.stringify(convert(request, ''));
}

function convert(value: unknown, name: string): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString(ID_FIELDS.has(name) ? 'hex' : 'base64');
  if (Array.isArray(value)) return value.map((part) => convert(part, name));
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, convert(part, key)]));
}
