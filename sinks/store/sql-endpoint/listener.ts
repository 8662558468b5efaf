import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { listenError, readTls, tlsServerOptions } from '../../../runtime/listen.ts';
import type { ListenerConfig } from '../../../schemas/config.ts';

const CONNECTIONS_MAX = 512;
/** URL and headers together; settings and query parameters travel there. */
const HEADER_MAX_BYTES = 256 * 1024;
const CONFIG_PATH = 'sql.listener';

/** A server that speaks HTTP, or HTTPS where the configuration names a certificate; it does not listen yet. */
export function createListener(
  config: ListenerConfig,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const tls = readTls(config, CONFIG_PATH);
  const http = { maxHeaderSize: HEADER_MAX_BYTES, requestTimeout: 30_000, headersTimeout: 10_000 };
  const created =
    tls === undefined
      ? createServer(http, handle)
      : createTlsServer({ ...http, ...tlsServerOptions(tls) }, handle);
  created.maxConnections = CONNECTIONS_MAX;
  return created;
}

/**
 * Resolves when the server listens.
 * @throws PermanentError port_taken, ConfigError for an address that cannot be used
 */
export function listen(server: Server, config: ListenerConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(listenError(config, CONFIG_PATH, cause)));
    server.listen(config.port, config.host, () => resolve());
  });
}
