import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { CustodyError, TransientError } from '../runtime/errors.ts';
import { encodeStatus } from './otlp/response.ts';

/** What a call ends with when it is refused. */
export type GrpcRefusal = Pick<ServiceError, 'code' | 'details' | 'metadata'>;

/**
 * Maps an error to the gRPC status the OTLP specification asks for. What may be retried carries a RetryInfo with the
 * wait; RESOURCE_EXHAUSTED without one means: do not retry. Undefined for a defect.
 */
export function grpcRefusalOf(error: unknown): GrpcRefusal | undefined {
  if (!(error instanceof CustodyError)) return undefined;
  const code = codeOf(error);
  const details = error.path === undefined ? error.message : `${error.path}: ${error.message}`;
  const metadata = new Metadata();
  if (error instanceof TransientError) {
    const encoded = encodeStatus('protobuf', code, details, error.retryAfterMs ?? 1000);
    metadata.set('grpc-status-details-bin', Buffer.from(encoded));
  }
  return { code, details, metadata };
}

function codeOf(error: CustodyError): status {
  switch (error.code) {
    case 'unauthorized':
      return status.UNAUTHENTICATED;
    case 'input_invalid':
      return status.INVALID_ARGUMENT;
    case 'input_too_large':
    case 'rate_limited':
      return status.RESOURCE_EXHAUSTED;
    default:
      return error instanceof TransientError ? status.UNAVAILABLE : status.INTERNAL;
  }
}
