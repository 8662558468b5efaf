import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Identity } from '../../../support/certificates.ts';

export interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  close(): Promise<void>;
}

/** A real HTTP or HTTPS server on loopback; `answer` decides per request (count from 0). */
export async function startReceiver(
  answer: (request: Received, index: number, response: ServerResponse) => void,
  options: { readonly identity?: Identity; readonly port?: number; readonly host?: string } = {},
): Promise<Receiver> {
  const received: Received[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry = {
        url: request.url ?? '',
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString(),
      };
      answer(entry, received.push(entry) - 1, response);
    });
  };
  const { identity } = options;
  const server: Server =
    identity === undefined
      ? createHttp(handle)
      : createHttps({ cert: readFileSync(identity.certFile), key: readFileSync(identity.keyFile) }, handle);
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${identity === undefined ? 'http' : 'https'}://127.0.0.1:${port}/hook?x=1`,
    received,
    async close() {
      const closed = once(server, 'close');
      server.closeAllConnections();
      server.close();
      await closed;
    },
  };
}

export const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_request: Received, _index: number, response: ServerResponse) => {
    response.writeHead(code, headers).end();
  };
