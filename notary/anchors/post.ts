import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../runtime/clock.ts';
import { ConfigError, PermanentError, TransientError } from '../../runtime/errors.ts';
import { parseRetryAfterMs } from '../../sinks/siem/webhook/classify.ts';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly retryAfterMs: number | undefined;
}

export interface Caller {
  /** Host and port, for messages: a path may hold a credential. */
  readonly host: string;
  /**
   * Resolves with the answer, whatever its status, redirects included. Throws a TransientError when there is none in
   * time, or one of more than 64 KiB.
   */
  post(body: Uint8Array, contentType: string): Promise<Answer>;
  close(): void;
}

export interface CallerOptions {
  readonly url: URL;
  readonly ca: Buffer | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const ANSWER_MAX_BYTES = 64 * 1024;

/** Posts to one URL that an operator configured: with certificates verified, bounded in time and bytes. */
export function createCaller({ url, ca, timeoutMs, clock }: CallerOptions): Caller {
  const isSecure = url.protocol === 'https:';
  const common = { keepAlive: true, maxSockets: 1 };
  const tls = { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...(ca !== undefined && { ca }) } as const;
  const agent = isSecure ? new HttpsAgent({ ...common, ...tls }) : new HttpAgent(common);
  const send = isSecure ? httpsRequest : httpRequest;
  const closing = new AbortController();

  function exchange(body: Uint8Array, contentType: string, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': contentType,
        'content-length': body.length,
        'user-agent': 'custody',
      };
      const outgoing = send(
        url,
        { method: 'POST', agent, signal, maxHeaderSize: 16 * 1024, headers },
        (incoming) => {
          bodyOf(incoming).then((whole) => {
            const retryAfterMs = parseRetryAfterMs(incoming.headers['retry-after'], clock.nowMs());
            resolve({ status: incoming.statusCode ?? 0, body: whole, retryAfterMs });
          }, reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  return {
    host: url.host,
    async post(body, contentType) {
      const attempt = new AbortController();
      const timer = setTimeout(() => attempt.abort(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
      const stop = () => attempt.abort(closing.signal.reason);
      closing.signal.addEventListener('abort', stop, { once: true });
      if (closing.signal.aborted) stop();
      try {
        return await exchange(body, contentType, attempt.signal);
      } catch (cause) {
        throw new TransientError('unavailable', `cannot call ${url.host}: ${reasonOf(cause)}`, { cause });
      } finally {
        clearTimeout(timer);
        closing.signal.removeEventListener('abort', stop);
      }
    },
    close() {
      closing.abort(new Error('stopped'));
      agent.destroy();
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_MAX_BYTES) {
      incoming.destroy();
      throw new Error(`its answer has more than ${ANSWER_MAX_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A code where there is one; of an aborted request the reason it was aborted for. */
function reasonOf(cause: unknown): string {
  const { code, message, cause: inner } = cause as NodeJS.ErrnoException;
  if (code === 'ABORT_ERR' && inner instanceof Error) return inner.message;
  return code ?? message;
}

/** What a status other than the expected ones means: later, or not before somebody acts. */
export function failureOf(
  action: string,
  { status, retryAfterMs }: Answer,
  advice: Readonly<Record<number, string>> = {},
): TransientError | PermanentError {
  const message = `cannot ${action}: it answered ${status}${advice[status] === undefined ? '' : `, ${advice[status]}`}`;
  if (status !== 408 && status !== 425 && status !== 429 && status < 500)
    return new PermanentError('rejected', message);
  const code = status === 429 ? 'rate_limited' : 'unavailable';
  return new TransientError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** The file that a key of an anchor names. @throws ConfigError */
export function readAnchorFile(id: string, key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const name = `notary.anchors.${id}.${key}`;
    throw new ConfigError(`cannot read ${name}: ${path} is not readable`, { path: name, cause });
  }
}
