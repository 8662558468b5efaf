import { NO_ATTRIBUTES, readAnyValue, readAttribute } from './decode-value.ts';
import { LOG_NAMES, type Decoded } from './decoded.ts';
import { decodeExport, type ReadRecord } from './decode-export.ts';
import { knownEnum, optionalId } from './ids.ts';
import type { DecodeLimits } from './limits.ts';
import type { AttributeValue, OtlpLog, ScopeContext } from './model.ts';
import {
  BYTES,
  FIXED32,
  FIXED64,
  VARINT,
  readFixed32,
  readFixed64Decimal,
  readHex,
  readString,
  readTag,
  readUint32,
  skipField,
  type Reading,
} from './wire.ts';

/**
 * opentelemetry/proto/logs/v1/logs.proto
 *
 *   LogRecord   1 time_unix_nano fixed64, 2 severity_number enum, 5 body AnyValue, 6 attributes,
 *               7 dropped_attributes_count, 8 flags fixed32, 9 trace_id, 10 span_id,
 *               11 observed_time_unix_nano fixed64, 12 event_name      (3 severity_text: not kept)
 */
const tag = (field: number, wireType: number) => (field << 3) | wireType;
const TIME = tag(1, FIXED64);
const SEVERITY_NUMBER = tag(2, VARINT);
const BODY = tag(5, BYTES);
const ATTRIBUTES = tag(6, BYTES);
const DROPPED_ATTRIBUTES_COUNT = tag(7, VARINT);
const FLAGS = tag(8, FIXED32);
const TRACE_ID = tag(9, BYTES);
const SPAN_ID = tag(10, BYTES);
const OBSERVED_TIME = tag(11, FIXED64);
const EVENT_NAME = tag(12, BYTES);

const SEVERITY_NUMBER_MAX = 24;

/** Decodes an ExportLogsServiceRequest record by record; see `decodeExport` for what throws and what is a fault. */
export function decodeLogs(body: Uint8Array, limits: DecodeLimits): Iterable<Decoded<OtlpLog>> {
  return decodeExport(body, limits, LOG_NAMES, readLog);
}

function readLog(r: Reading, context: ScopeContext): ReadRecord<OtlpLog> {
  let timeUnixNano = '0';
  let observedTimeUnixNano = '0';
  let severityNumber = 0;
  let body: AttributeValue = null;
  let eventName = '';
  let traceId = '';
  let spanId = '';
  let flags: number | undefined;
  let droppedAttributesCount = 0;
  let attributes: Map<string, AttributeValue> | undefined;
  while (r.pos < r.end) {
    const field = readTag(r);
    switch (field) {
      case TIME:
        timeUnixNano = readFixed64Decimal(r);
        break;
      case SEVERITY_NUMBER:
        severityNumber = knownEnum(readUint32(r), SEVERITY_NUMBER_MAX);
        break;
      case BODY:
        body = readAnyValue(r, 1);
        break;
      case ATTRIBUTES:
        readAttribute(r, (attributes ??= new Map<string, AttributeValue>()));
        break;
      case DROPPED_ATTRIBUTES_COUNT:
        droppedAttributesCount = readUint32(r);
        break;
      case FLAGS:
        flags = readFixed32(r);
        break;
      case TRACE_ID:
        traceId = readHex(r, 17);
        break;
      case SPAN_ID:
        spanId = readHex(r, 9);
        break;
      case OBSERVED_TIME:
        observedTimeUnixNano = readFixed64Decimal(r);
        break;
      case EVENT_NAME:
        eventName = readString(r);
        break;
      default:
        skipField(r, field);
    }
  }
  const value: OtlpLog = {
    resource: context.resource,
    scopeName: context.scopeName,
    scopeVersion: context.scopeVersion,
    timeUnixNano,
    observedTimeUnixNano,
    eventName: eventName === '' ? undefined : eventName,
    severityNumber,
    body,
    attributes: attributes ?? NO_ATTRIBUTES,
    traceId: optionalId(traceId, 32),
    spanId: optionalId(spanId, 16),
    flags,
    droppedAttributesCount: droppedAttributesCount + r.droppedCount,
  };
  return { value, fault: undefined };
}
