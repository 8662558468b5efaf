import type { OtlpLog, OtlpSpan } from './model.ts';

/** Why one record of an otherwise readable request is unusable; `path` is relative to the record. */
export interface RecordFault {
  readonly path: string | undefined;
  readonly reason: string;
}

/**
 * One record as it comes out of a decoder. `value` is present whenever the record could be read at all, also beside
 * a `fault` (an id of the wrong length), so that a readable excerpt can be kept.
 */
export interface Decoded<T> {
  readonly resourceIndex: number;
  readonly scopeIndex: number;
  readonly recordIndex: number;
  readonly value: T | undefined;
  readonly fault: RecordFault | undefined;
  /** The record's own bytes; in JSON requests its parsed value. For the digest of an unusable record. */
  readonly raw: () => Uint8Array | object | undefined;
}

/** Names of the three nested lists of an export request, as OTLP JSON writes them. */
export interface ExportNames {
  readonly resources: 'resourceSpans' | 'resourceLogs';
  readonly scopes: 'scopeSpans' | 'scopeLogs';
  readonly records: 'spans' | 'logRecords';
}

export const TRACE_NAMES: ExportNames = {
  resources: 'resourceSpans',
  scopes: 'scopeSpans',
  records: 'spans',
};
export const LOG_NAMES: ExportNames = {
  resources: 'resourceLogs',
  scopes: 'scopeLogs',
  records: 'logRecords',
};

/** Where a record stands in its request, such as `resourceSpans[0].scopeSpans[2].spans[7]`. */
export function recordPath(names: ExportNames, at: Decoded<OtlpSpan | OtlpLog>): string {
  return `${names.resources}[${at.resourceIndex}].${names.scopes}[${at.scopeIndex}].${names.records}[${at.recordIndex}]`;
}
