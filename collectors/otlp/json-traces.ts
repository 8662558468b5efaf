import type { JsonObject } from '../../schemas/json-object.ts';
import type { Decoded } from './decoded.ts';
import { TRACE_NAMES } from './decoded.ts';
import type { ReadRecord } from './decode-export.ts';
import { optionalId, spanIdFault } from './ids.ts';
import { decodeJsonExport } from './json-export.ts';
import { enumAt, field, hexAt, listAt, objectAt, textAt, uint32At, uint64At } from './json-fields.ts';
import { readJsonAttributes, readNestedJsonAttributes, type JsonBudget } from './json-value.ts';
import type { DecodeLimits } from './limits.ts';
import type { OtlpSpan, ScopeContext } from './model.ts';

const KINDS = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
];
const STATUS_CODES = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];

/** Decodes an OTLP JSON trace export span by span. */
export function decodeJsonTraces(body: Uint8Array, limits: DecodeLimits): Iterable<Decoded<OtlpSpan>> {
  return decodeJsonExport(body, limits, TRACE_NAMES, readSpan);
}

function readSpan(span: JsonObject, context: ScopeContext, budget: JsonBudget): ReadRecord<OtlpSpan> {
  const { stringMaxBytes } = budget.limits;
  const traceId = hexAt(field(span, 'traceId'), 'traceId');
  const spanId = hexAt(field(span, 'spanId'), 'spanId');
  const parentSpanId = hexAt(field(span, 'parentSpanId'), 'parentSpanId');
  const flags = field(span, 'flags');
  const status = objectAt(field(span, 'status'), 'status');
  const attributes = readJsonAttributes(field(span, 'attributes'), 'attributes', budget);
  const events = readEvents(field(span, 'events'), budget);
  const declaredDropped = uint32At(field(span, 'droppedAttributesCount'), 'droppedAttributesCount');
  const value: OtlpSpan = {
    // Written out: a spread costs more than all other fields together.
    resource: context.resource,
    scopeName: context.scopeName,
    scopeVersion: context.scopeVersion,
    traceId,
    spanId,
    parentSpanId: optionalId(parentSpanId, 16),
    flags: flags === undefined ? undefined : uint32At(flags, 'flags'),
    name: textAt(field(span, 'name'), 'name', stringMaxBytes),
    kind: enumAt(field(span, 'kind'), 'kind', KINDS),
    startTimeUnixNano: uint64At(field(span, 'startTimeUnixNano'), 'startTimeUnixNano'),
    endTimeUnixNano: uint64At(field(span, 'endTimeUnixNano'), 'endTimeUnixNano'),
    attributes,
    events,
    statusCode: enumAt(field(status, 'code'), 'status.code', STATUS_CODES),
    statusMessage: textAt(field(status, 'message'), 'status.message', stringMaxBytes) || undefined,
    droppedAttributesCount: declaredDropped + budget.droppedCount,
  };
  return { value, fault: spanIdFault(traceId, spanId, parentSpanId) };
}

function readEvents(value: unknown, budget: JsonBudget): OtlpSpan['events'] {
  return listAt(value, 'events')
    .slice(0, budget.limits.attributeMaxCount)
    .map((entry, index) => {
      const path = `events[${index}]`;
      const event = objectAt(entry ?? undefined, path);
      return {
        name: textAt(field(event, 'name'), `${path}.name`, budget.limits.stringMaxBytes),
        timeUnixNano: uint64At(field(event, 'timeUnixNano'), `${path}.timeUnixNano`),
        attributes: readNestedJsonAttributes(field(event, 'attributes'), `${path}.attributes`, budget, 1),
      };
    });
}
