import { PermanentError, TransientError } from '../../../runtime/errors.ts';
import { SinkPausedError } from '../../sink.ts';
import { AddressRefused } from './address-guard.ts';

/** The receiver asked (410 Gone) never to be called again; kept until the process is restarted with a new address. */
export class EndpointGone extends SinkPausedError {
  constructor(sinkId: string) {
    super(`cannot deliver to webhook ${sinkId}: the receiver answered 410; change its url and restart`, {
      retryAfterMs: 3_600_000,
    });
  }
}

const poison = new Set([400, 409, 413, 422]);
const retryable = new Set([408, 425, 429]);

/**
 * What an answer means; `undefined` = delivered. Only 2xx is. Redirects are a fault of configuration and never
 * followed. 409 becomes a dead letter: it may mean "known already", and may not.
 */
export function classifyStatus(
  sinkId: string,
  status: number,
  retryAfterMs: number | undefined,
): TransientError | PermanentError | undefined {
  if (status >= 200 && status < 300) return undefined;
  const message = `cannot deliver to webhook ${sinkId}: the receiver answered ${status}`;
  if (status === 410) return new EndpointGone(sinkId);
  if (poison.has(status)) return new PermanentError('rejected', message);
  if (retryable.has(status) || status >= 500) {
    const code = status === 429 ? 'rate_limited' : 'unavailable';
    return new TransientError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  return new SinkPausedError(message);
}

/** `Retry-After` as seconds or an HTTP date, in milliseconds from now. */
export function parseRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const atMs = /GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** Faults of certificates, names and addresses wait for a human; everything else on the way may pass. */
const humanFault =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|ERR_SSL_|EPROTO$|ENOTFOUND$)/;

export function classifyFailure(sinkId: string, cause: unknown): TransientError {
  const reason = reasonOf(cause);
  const message = `cannot deliver to webhook ${sinkId}: ${reason}`;
  if (cause instanceof AddressRefused || humanFault.test(reason))
    return new SinkPausedError(message, { cause });
  return new TransientError('unavailable', message, { cause });
}

/** A code where there is one; of an aborted request the reason it was aborted for. */
function reasonOf(cause: unknown): string {
  const { code, message, cause: inner } = cause as NodeJS.ErrnoException;
  if (code === 'ABORT_ERR' && inner instanceof Error) return inner.message;
  return code ?? message;
}
