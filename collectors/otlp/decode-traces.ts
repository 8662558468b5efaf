import { NO_ATTRIBUTES, readAttribute, readNestedAttribute } from './decode-value.ts';
import { TRACE_NAMES, type Decoded } from './decoded.ts';
import { decodeExport, type ReadRecord } from './decode-export.ts';
import { knownEnum, optionalId, spanIdFault } from './ids.ts';
import type { DecodeLimits } from './limits.ts';
import type { AttributeValue, OtlpSpan, ScopeContext } from './model.ts';
import {
  BYTES,
  FIXED32,
  FIXED64,
  VARINT,
  closeMessage,
  openMessage,
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
 * opentelemetry/proto/trace/v1/trace.proto
 *
 *   Span     1 trace_id, 2 span_id, 4 parent_span_id, 5 name, 6 kind enum, 7 start_time_unix_nano fixed64,
 *            8 end_time_unix_nano fixed64, 9 attributes, 10 dropped_attributes_count, 11 events, 15 status,
 *            16 flags fixed32      (3 trace_state, 12 to 14 dropped events and links: not kept)
 *   Event    1 time_unix_nano fixed64, 2 name, 3 attributes
 *   Status   2 message, 3 code enum
 */
const tag = (field: number, wireType: number) => (field << 3) | wireType;
const TRACE_ID = tag(1, BYTES);
const SPAN_ID = tag(2, BYTES);
const PARENT_SPAN_ID = tag(4, BYTES);
const NAME = tag(5, BYTES);
const KIND = tag(6, VARINT);
const START_TIME = tag(7, FIXED64);
const END_TIME = tag(8, FIXED64);
const ATTRIBUTES = tag(9, BYTES);
const DROPPED_ATTRIBUTES_COUNT = tag(10, VARINT);
const EVENTS = tag(11, BYTES);
const STATUS = tag(15, BYTES);
const FLAGS = tag(16, FIXED32);
const EVENT_TIME = tag(1, FIXED64);
const EVENT_NAME = tag(2, BYTES);
const EVENT_ATTRIBUTES = tag(3, BYTES);
const STATUS_MESSAGE = tag(2, BYTES);
const STATUS_CODE = tag(3, VARINT);

type SpanEvent = OtlpSpan['events'][number];
const NO_EVENTS: readonly SpanEvent[] = [];
const KIND_MAX = 5;
const STATUS_CODE_MAX = 2;
/** Enough of a wrong id to recognise it in an excerpt. */
const ID_EXCERPT_BYTES = 64;

/** Decodes an ExportTraceServiceRequest span by span; see `decodeExport` for what throws and what is a fault. */
export function decodeTraces(body: Uint8Array, limits: DecodeLimits): Iterable<Decoded<OtlpSpan>> {
  return decodeExport(body, limits, TRACE_NAMES, readSpan);
}

function readSpan(r: Reading, context: ScopeContext): ReadRecord<OtlpSpan> {
  let traceId = '';
  let spanId = '';
  let parentSpanId = '';
  let name = '';
  let kind = 0;
  let startTimeUnixNano = '0';
  let endTimeUnixNano = '0';
  let flags: number | undefined;
  let statusCode = 0;
  let statusMessage = '';
  let droppedAttributesCount = 0;
  let attributes: Map<string, AttributeValue> | undefined;
  let events: SpanEvent[] | undefined;
  while (r.pos < r.end) {
    const field = readTag(r);
    switch (field) {
      case TRACE_ID:
        traceId = readHex(r, ID_EXCERPT_BYTES);
        break;
      case SPAN_ID:
        spanId = readHex(r, ID_EXCERPT_BYTES);
        break;
      case PARENT_SPAN_ID:
        parentSpanId = readHex(r, ID_EXCERPT_BYTES);
        break;
      case NAME:
        name = readString(r);
        break;
      case KIND:
        kind = knownEnum(readUint32(r), KIND_MAX);
        break;
      case START_TIME:
        startTimeUnixNano = readFixed64Decimal(r);
        break;
      case END_TIME:
        endTimeUnixNano = readFixed64Decimal(r);
        break;
      case ATTRIBUTES:
        readAttribute(r, (attributes ??= new Map<string, AttributeValue>()));
        break;
      case DROPPED_ATTRIBUTES_COUNT:
        droppedAttributesCount = readUint32(r);
        break;
      case EVENTS:
        if ((events ??= []).length < r.limits.attributeMaxCount) events.push(readEvent(r));
        else skipField(r, field);
        break;
      case STATUS: {
        const outerEnd = openMessage(r);
        while (r.pos < r.end) {
          const statusField = readTag(r);
          if (statusField === STATUS_MESSAGE) statusMessage = readString(r);
          else if (statusField === STATUS_CODE) statusCode = knownEnum(readUint32(r), STATUS_CODE_MAX);
          else skipField(r, statusField);
        }
        closeMessage(r, outerEnd);
        break;
      }
      case FLAGS:
        flags = readFixed32(r);
        break;
      default:
        skipField(r, field);
    }
  }
  const value: OtlpSpan = {
    resource: context.resource,
    scopeName: context.scopeName,
    scopeVersion: context.scopeVersion,
    traceId,
    spanId,
    parentSpanId: optionalId(parentSpanId, 16),
    flags,
    name,
    kind,
    startTimeUnixNano,
    endTimeUnixNano,
    attributes: attributes ?? NO_ATTRIBUTES,
    events: events ?? NO_EVENTS,
    statusCode,
    statusMessage: statusMessage === '' ? undefined : statusMessage,
    droppedAttributesCount: droppedAttributesCount + r.droppedCount,
  };
  return { value, fault: spanIdFault(traceId, spanId, parentSpanId) };
}

function readEvent(r: Reading): SpanEvent {
  const outerEnd = openMessage(r);
  let name = '';
  let timeUnixNano = '0';
  let attributes: Map<string, AttributeValue> | undefined;
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field === EVENT_TIME) timeUnixNano = readFixed64Decimal(r);
    else if (field === EVENT_NAME) name = readString(r);
    else if (field === EVENT_ATTRIBUTES) {
      readNestedAttribute(r, (attributes ??= new Map<string, AttributeValue>()), 1);
    } else skipField(r, field);
  }
  closeMessage(r, outerEnd);
  return { name, timeUnixNano, attributes: attributes ?? NO_ATTRIBUTES };
}
