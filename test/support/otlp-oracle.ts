import type protobuf from 'protobufjs';
import type { AttributeValue, OtlpLog, OtlpSpan } from '../../collectors/otlp/model.ts';
import { logsRequest, traceRequest } from './otlp-proto.ts';
import type { Parsed } from './parsed.ts';

/** What protobufjs reads from the bytes, brought into the product's model by code of its own. */
export function oracleSpans(bytes: Uint8Array): OtlpSpan[] {
  return plain(traceRequest, bytes).resourceSpans.flatMap((group: Parsed) =>
    group.scopeSpans.flatMap((scoped: Parsed) =>
      scoped.spans.map((span: Parsed): OtlpSpan => ({
        ...context(group, scoped),
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId) || undefined,
        flags: span.flags,
        name: span.name,
        kind: span.kind,
        startTimeUnixNano: span.startTimeUnixNano,
        endTimeUnixNano: span.endTimeUnixNano,
        attributes: attributes(span.attributes),
        events: span.events.map((event: Parsed) => ({
          name: event.name,
          timeUnixNano: event.timeUnixNano,
          attributes: attributes(event.attributes),
        })),
        statusCode: span.status.code,
        statusMessage: span.status.message || undefined,
        droppedAttributesCount: span.droppedAttributesCount,
      })),
    ),
  );
}

export function oracleLogs(bytes: Uint8Array): OtlpLog[] {
  return plain(logsRequest, bytes).resourceLogs.flatMap((group: Parsed) =>
    group.scopeLogs.flatMap((scoped: Parsed) =>
      scoped.logRecords.map((log: Parsed): OtlpLog => ({
        ...context(group, scoped),
        timeUnixNano: log.timeUnixNano,
        observedTimeUnixNano: log.observedTimeUnixNano,
        eventName: log.eventName || undefined,
        severityNumber: log.severityNumber,
        body: anyValue(log.body),
        attributes: attributes(log.attributes),
        traceId: hex(log.traceId) || undefined,
        spanId: hex(log.spanId) || undefined,
        flags: log.flags,
        droppedAttributesCount: log.droppedAttributesCount,
      })),
    ),
  );
}

function plain(type: protobuf.Type, bytes: Uint8Array): Parsed {
  return type.toObject(type.decode(bytes), { longs: String, arrays: true, defaults: true, oneofs: true });
}

const hex = (bytes: Uint8Array | string) =>
  typeof bytes === 'string' ? '' : Buffer.from(bytes).toString('hex');

function context(group: Parsed, scoped: Parsed) {
  return {
    resource: attributes(group.resource.attributes),
    scopeName: scoped.scope.name || undefined,
    scopeVersion: scoped.scope.version || undefined,
  };
}

function attributes(list: Parsed[]): Map<string, AttributeValue> {
  return new Map(list.map(({ key, value }) => [key, anyValue(value)]));
}

function anyValue(value: Parsed): AttributeValue {
  switch (value?.value) {
    case 'stringValue':
      return value.stringValue;
    case 'boolValue':
      return value.boolValue;
    case 'intValue': {
      const exact = BigInt(value.intValue);
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
    }
    case 'doubleValue':
      return value.doubleValue;
    case 'bytesValue':
      return new Uint8Array(value.bytesValue);
    case 'arrayValue':
      return value.arrayValue.values.map(anyValue);
    case 'kvlistValue':
      return attributes(value.kvlistValue.values);
    default:
      return null;
  }
}
