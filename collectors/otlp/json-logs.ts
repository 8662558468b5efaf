import type { JsonObject } from '../../schemas/json-object.ts';
import type { Decoded } from './decoded.ts';
import { LOG_NAMES } from './decoded.ts';
import type { ReadRecord } from './decode-export.ts';
import { optionalId } from './ids.ts';
import { decodeJsonExport } from './json-export.ts';
import { enumAt, field, hexAt, textAt, uint32At, uint64At } from './json-fields.ts';
import { readJsonAnyValue, readJsonAttributes, type JsonBudget } from './json-value.ts';
import type { DecodeLimits } from './limits.ts';
import type { OtlpLog, ScopeContext } from './model.ts';

const SEVERITIES = [
  'SEVERITY_NUMBER_UNSPECIFIED',
  ...['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((level) =>
    ['', '2', '3', '4'].map((step) => `SEVERITY_NUMBER_${level}${step}`),
  ),
];

/** Decodes an OTLP JSON log export record by record. */
export function decodeJsonLogs(body: Uint8Array, limits: DecodeLimits): Iterable<Decoded<OtlpLog>> {
  return decodeJsonExport(body, limits, LOG_NAMES, readLog);
}

function readLog(log: JsonObject, context: ScopeContext, budget: JsonBudget): ReadRecord<OtlpLog> {
  const flags = field(log, 'flags');
  const body = readJsonAnyValue(field(log, 'body'), 'body', budget, 1);
  const attributes = readJsonAttributes(field(log, 'attributes'), 'attributes', budget);
  const declaredDropped = uint32At(field(log, 'droppedAttributesCount'), 'droppedAttributesCount');
  const value: OtlpLog = {
    // Written out: a spread costs more than all other fields together.
    resource: context.resource,
    scopeName: context.scopeName,
    scopeVersion: context.scopeVersion,
    timeUnixNano: uint64At(field(log, 'timeUnixNano'), 'timeUnixNano'),
    observedTimeUnixNano: uint64At(field(log, 'observedTimeUnixNano'), 'observedTimeUnixNano'),
    eventName: textAt(field(log, 'eventName'), 'eventName', budget.limits.stringMaxBytes) || undefined,
    severityNumber: enumAt(field(log, 'severityNumber'), 'severityNumber', SEVERITIES),
    body,
    attributes,
    traceId: optionalId(hexAt(field(log, 'traceId'), 'traceId'), 32),
    spanId: optionalId(hexAt(field(log, 'spanId'), 'spanId'), 16),
    flags: flags === undefined ? undefined : uint32At(flags, 'flags'),
    droppedAttributesCount: declaredDropped + budget.droppedCount,
  };
  return { value, fault: undefined };
}
