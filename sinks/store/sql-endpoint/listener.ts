import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { ConfigError, PermanentError } from '../../../runtime/errors.ts';
import type { ListenerConfig } from '../../../schemas/config.ts';

const CONNECTIONS_MAX = 512;
/** URL and headers together; settings and query parameters travel there. */
const HEADER_MAX_BYTES = 256 * 1024;

/** A server that speaks HTTP, or HTTPS where the configuration names a certificate; it does not listen yet. */
export async function createListener(
  config: ListenerConfig,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  const { tls } = config;
  const http = { maxHeaderSize: HEADER_MAX_BYTES, requestTimeout: 30_000, headersTimeout: 10_000 };
  let created: Server;
  if (tls === undefined) created = createServer(http, handle);
  else {
    const [cert, key, ca] = await Promise.all([
      readTlsFile(tls.cert_file),
      readTlsFile(tls.key_file),
      tls.client_ca_file === undefined ? undefined : readTlsFile(tls.client_ca_file),
    ]);
    const client = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
    created = createTlsServer({ ...http, cert, key, minVersion: 'TLSv1.2', ...client }, handle);
  }
  created.maxConnections = CONNECTIONS_MAX;
  return created;
}

async function readTlsFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ConfigError('cannot start the SQL endpoint: a TLS file is not readable', {
      path: 'sql.listener.tls',
      cause,
    });
  }
}

/**
 * Resolves when the server listens.
 * @throws PermanentError port_taken, or rejected for an address that cannot be used
 */
export function listen(server: Server, config: ListenerConfig): Promise<void> {
  const { host, port } = config;
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      const reason = taken ? 'the port is taken' : (cause.code ?? 'unknown');
      reject(
        new PermanentError(taken ? 'port_taken' : 'rejected', `cannot listen on ${host}:${port}: ${reason}`, {
          cause,
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}
