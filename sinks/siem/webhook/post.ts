import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { AddressRefused, addressAllowed, guardedLookup, type AddressPolicy } from './address-guard.ts';

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

export interface Poster {
  /** Resolves with the answer's status, whatever it is; the answer's body is thrown away unread. */
  post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer>;
  close(): void;
}

/** Posts to one URL over kept-alive connections, each opened to a checked address with the certificate verified. */
export function createPoster(url: URL, policy: AddressPolicy, ca: Buffer | undefined): Poster {
  const secure = url.protocol === 'https:';
  const common = { keepAlive: true, maxSockets: 1, lookup: guardedLookup(policy) };
  const agent = secure
    ? new HttpsAgent({
        ...common,
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...(ca !== undefined && { ca }),
      })
    : new HttpAgent(common);
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  const send = secure ? httpsRequest : httpRequest;

  return {
    post: (body, headers, signal) =>
      new Promise((resolve, reject) => {
        // A literal address is connected to without a lookup.
        if (isIP(literal) !== 0 && !addressAllowed(literal, policy)) {
          reject(new AddressRefused(literal));
          return;
        }
        const outgoing = send(
          url,
          {
            method: 'POST',
            agent,
            signal,
            maxHeaderSize: 16 * 1024,
            headers: {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(body),
              'user-agent': 'custody',
              ...headers,
            },
          },
          (incoming) => {
            resolve({ status: incoming.statusCode ?? 0, retryAfter: incoming.headers['retry-after'] });
            discard(incoming);
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

const BODY_READ_MS = 2000;
const BODY_READ_MAX_BYTES = 64 * 1024;

/** Reads a short body so that the connection can be used again, and hangs up on a long or slow one. */
function discard(incoming: IncomingMessage): void {
  let bytes = 0;
  const timer = setTimeout(() => incoming.destroy(), BODY_READ_MS);
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_READ_MAX_BYTES) incoming.destroy();
  });
  incoming.on('error', () => undefined);
  incoming.on('close', () => clearTimeout(timer));
}
