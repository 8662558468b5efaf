import type { ExportNames } from './decoded.ts';

/**
 * Answers to an export.
 *
 *   ExportTraceServiceResponse / ExportLogsServiceResponse   1 partial_success
 *   ExportTracePartialSuccess / ExportLogsPartialSuccess     1 rejected_spans / rejected_log_records int64, 2 error_message
 *   google.rpc.Status      1 code int32, 2 message, 3 details Any
 *   google.protobuf.Any    1 type_url, 2 value
 *   google.rpc.RetryInfo   1 retry_delay Duration (1 seconds int64, 2 nanos int32)
 */
export type OtlpEncoding = 'protobuf' | 'json';

/** What was refused of a request that was otherwise accepted. */
export interface PartialSuccess {
  readonly rejectedCount: number;
  readonly errorMessage: string;
}

const RETRY_INFO_TYPE = 'type.googleapis.com/google.rpc.RetryInfo';
const REJECTED_FIELD = { resourceSpans: 'rejectedSpans', resourceLogs: 'rejectedLogRecords' } as const;

/** Encodes a success; nothing refused is the empty message. */
export function encodeExportResponse(
  encoding: OtlpEncoding,
  names: ExportNames,
  partial: PartialSuccess | undefined,
): Uint8Array {
  if (encoding === 'protobuf')
    return partial === undefined ? new Uint8Array(0) : bytesField(1, partialBytes(partial));
  if (partial === undefined) return Buffer.from('{}');
  const rejected = REJECTED_FIELD[names.resources];
  return Buffer.from(
    JSON.stringify({
      partialSuccess: { [rejected]: String(partial.rejectedCount), errorMessage: partial.errorMessage },
    }),
  );
}

/** Encodes a google.rpc.Status; `retryAfterMs` adds a RetryInfo detail (protobuf only, JSON has the header). */
export function encodeStatus(
  encoding: OtlpEncoding,
  code: number,
  message: string,
  retryAfterMs?: number,
): Uint8Array {
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }));
  const parts = [varintField(1, code), textField(2, message)];
  if (retryAfterMs !== undefined) {
    const nanos = (retryAfterMs % 1000) * 1_000_000;
    const delay = Buffer.concat([varintField(1, Math.floor(retryAfterMs / 1000)), varintField(2, nanos)]);
    const detail = Buffer.concat([textField(1, RETRY_INFO_TYPE), bytesField(2, bytesField(1, delay))]);
    parts.push(bytesField(3, detail));
  }
  return Buffer.concat(parts);
}

function partialBytes(partial: PartialSuccess): Uint8Array {
  return Buffer.concat([varintField(1, partial.rejectedCount), textField(2, partial.errorMessage)]);
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest > 127) {
    out.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return out;
}

function varintField(field: number, value: number): Uint8Array {
  return value === 0 ? new Uint8Array(0) : Buffer.from([field << 3, ...varint(value)]);
}

function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function textField(field: number, text: string): Uint8Array {
  return bytesField(field, Buffer.from(text, 'utf8'));
}
