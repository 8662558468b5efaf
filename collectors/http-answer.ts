import { CustodyError, TransientError } from '../runtime/errors.ts';
import { encodeStatus, type OtlpEncoding } from './otlp/response.ts';

/** A complete HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export const OTLP_CONTENT_TYPE: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** A refusal that HTTP has a status for and the product has no error class for. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Why a request was refused: what the answer, the metric and gRPC need of it. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly path: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** google.rpc.Code for the `Status` body that OTLP asks for. */
const RPC_CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  405: 12,
  413: 8,
  415: 3,
  429: 8,
  500: 13,
  503: 14,
};

/** Classifies what a handler threw; undefined = a defect, whose message must not leave the process. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof HttpRefusal) {
    return {
      status: error.status,
      code: error.code,
      message: error.message,
      path: undefined,
      headers: error.headers,
    };
  }
  if (!(error instanceof CustodyError)) return undefined;
  const { code, message, path } = error;
  return { status: statusOf(error), code, message, path, headers: headersOf(error) };
}

function statusOf(error: CustodyError): number {
  switch (error.code) {
    case 'unauthorized':
      return 401;
    case 'input_invalid':
      return 400;
    case 'input_too_large':
      return 413;
    case 'rate_limited':
      return 429;
    default:
      return error instanceof TransientError ? 503 : 500;
  }
}

function headersOf(error: CustodyError): Readonly<Record<string, string>> {
  if (error.code === 'unauthorized') return { 'www-authenticate': 'Bearer' };
  if (!(error instanceof TransientError)) return {};
  return { 'retry-after': String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))) };
}

/** `{"error":{"code","message","path"?}}` */
export function reasonAnswer(refusal: Refusal): HttpAnswer {
  const { status, code, message, path, headers } = refusal;
  return jsonAnswer(status, { error: { code, message, ...(path === undefined ? {} : { path }) } }, headers);
}

/** A google.rpc.Status in the request's encoding. */
export function statusAnswer(encoding: OtlpEncoding, refusal: Refusal): HttpAnswer {
  const message = refusal.path === undefined ? refusal.message : `${refusal.path}: ${refusal.message}`;
  return {
    status: refusal.status,
    contentType: OTLP_CONTENT_TYPE[encoding],
    headers: refusal.headers,
    body: encodeStatus(encoding, RPC_CODES[refusal.status] ?? 2, message),
  };
}

export function jsonAnswer(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status, contentType: 'application/json', headers, body: Buffer.from(JSON.stringify(value)) };
}
