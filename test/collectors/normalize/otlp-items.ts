import type { AttributeValue, OtlpLog, OtlpSpan } from '../../../collectors/otlp/model.ts';

type Attributes = Readonly<Record<string, AttributeValue>>;

/** A span that says nothing but its attributes. */
export function otlpSpan(attributes: Attributes = {}, more: Partial<OtlpSpan> = {}): OtlpSpan {
  return {
    resource: new Map(),
    scopeName: undefined,
    scopeVersion: undefined,
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    parentSpanId: undefined,
    flags: undefined,
    name: 'tools/call x',
    kind: 3,
    startTimeUnixNano: '1763700000000000000',
    endTimeUnixNano: '1763700000000000001',
    attributes: new Map(Object.entries(attributes)),
    events: [],
    statusCode: 0,
    statusMessage: undefined,
    droppedAttributesCount: 0,
    ...more,
  };
}

/** A log record that says nothing but its attributes. */
export function otlpLog(attributes: Attributes = {}, more: Partial<OtlpLog> = {}): OtlpLog {
  return {
    resource: new Map(),
    scopeName: undefined,
    scopeVersion: undefined,
    timeUnixNano: '1763700000000000000',
    observedTimeUnixNano: '1763700000000000002',
    eventName: undefined,
    severityNumber: 9,
    body: null,
    attributes: new Map(Object.entries(attributes)),
    traceId: undefined,
    spanId: undefined,
    flags: undefined,
    droppedAttributesCount: 0,
    ...more,
  };
}
