import { ConfigError, PermanentError, TransientError } from '../../runtime/errors.ts';

export interface EventsEndpoint {
  /** Base address of the collector, such as http://127.0.0.1:4318. */
  readonly url: URL;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const RETRY_AFTER_MAX_MS = 60_000;

/**
 * The `/v1/events` address under a collector's base address.
 * @throws ConfigError for anything but http(s), for credentials in the address, and for a token in clear over a network.
 */
export function eventsEndpoint(
  collector: string,
  token: string | undefined,
  timeoutMs: number,
): EventsEndpoint {
  const refuse = (reason: string) =>
    new ConfigError(`cannot use collector address: ${reason}`, { path: '--collector' });
  if (!URL.canParse(collector)) throw refuse('it is no URL');
  const url = new URL(collector);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse('it must start with http:// or https://');
  if (url.username !== '' || url.password !== '')
    throw refuse('it must not hold credentials, use CUSTODY_TOKEN');
  if (token !== undefined && url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    throw refuse('a token is only sent over https or to this machine');
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/events`;
  return { url, token, timeoutMs };
}

/**
 * Sends NDJSON of canonical events; resolves when the collector has said they are durable.
 * @throws TransientError to be sent again later; PermanentError if these bytes will never be taken.
 */
export async function postEvents(
  endpoint: EventsEndpoint,
  ndjson: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(endpoint.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-ndjson',
        ...(endpoint.token === undefined ? {} : { authorization: `Bearer ${endpoint.token}` }),
      },
      body: ndjson,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(endpoint.timeoutMs)]),
    });
    await response.body?.cancel();
  } catch (cause) {
    throw new TransientError('unavailable', 'cannot deliver records: the collector does not answer', {
      cause,
    });
  }
  if (response.status === 200) return;
  const message = `cannot deliver records: the collector answered HTTP ${response.status}`;
  // Only what says "these bytes are wrong" condemns the bytes; a wrong token or address is put right by a person.
  if (response.status === 400 || response.status === 413 || response.status === 422)
    throw new PermanentError('rejected', message);
  throw new TransientError(
    response.status === 429 ? 'rate_limited' : 'unavailable',
    message,
    retryAfter(response),
  );
}

function retryAfter(response: Response): { retryAfterMs?: number } {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0
    ? { retryAfterMs: Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) }
    : {};
}
