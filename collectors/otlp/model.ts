/**
 * What the OTLP decoders hand on: one flat item per span or log record, resource and scope beside it. Ids are
 * lower-case hex, times decimal strings; attributes are Maps because their keys are attacker-controlled.
 */
export type AttributeValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | Uint8Array
  | readonly AttributeValue[]
  | ReadonlyMap<string, AttributeValue>;

export type Attributes = ReadonlyMap<string, AttributeValue>;

export interface ScopeContext {
  /** Shared by all items of one resource: compare by identity to reuse work. */
  readonly resource: Attributes;
  readonly scopeName: string | undefined;
  readonly scopeVersion: string | undefined;
}

export interface OtlpSpan extends ScopeContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** W3C trace flags; bit 0 = sampled. */
  readonly flags: number | undefined;
  readonly name: string;
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Attributes;
  readonly events: readonly {
    readonly name: string;
    readonly timeUnixNano: string;
    readonly attributes: Attributes;
  }[];
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
  readonly statusMessage: string | undefined;
  readonly droppedAttributesCount: number;
}

export interface OtlpLog extends ScopeContext {
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly eventName: string | undefined;
  readonly severityNumber: number;
  readonly body: AttributeValue;
  readonly attributes: Attributes;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly flags: number | undefined;
  readonly droppedAttributesCount: number;
}
