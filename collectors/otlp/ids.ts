import type { RecordFault } from './decoded.ts';

const ZEROS = /^0*$/;

/** Checks the ids of a span (all lower-case hex): both required, none all zero. */
export function spanIdFault(traceId: string, spanId: string, parentSpanId: string): RecordFault | undefined {
  if (traceId.length !== 32) return { path: 'traceId', reason: 'must be 16 bytes' };
  if (ZEROS.test(traceId)) return { path: 'traceId', reason: 'must not be all zeros' };
  if (spanId.length !== 16) return { path: 'spanId', reason: 'must be 8 bytes' };
  if (ZEROS.test(spanId)) return { path: 'spanId', reason: 'must not be all zeros' };
  if (parentSpanId.length !== 16 && parentSpanId.length !== 0) {
    return { path: 'parentSpanId', reason: 'must be 8 bytes or absent' };
  }
  return undefined;
}

/** An id that may be missing: the specification asks to read an invalid one on a log record as absent. */
export function optionalId(hex: string, hexChars: number): string | undefined {
  return hex.length === hexChars && !ZEROS.test(hex) ? hex : undefined;
}

/** Enum values nobody has defined read as 0, "unspecified". */
export function knownEnum(value: number, max: number): number {
  return value <= max ? value : 0;
}
