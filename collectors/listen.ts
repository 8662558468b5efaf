import { readFileSync } from 'node:fs';
import type { ListenerConfig } from '../schemas/config.ts';
import { ConfigError, PermanentError, type CustodyError } from '../runtime/errors.ts';

/** Key material of a listener, read at start. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** With it a client must present a certificate this authority signed. */
  readonly clientCa: Buffer | undefined;
}

/** Reads the listener's TLS files; throws ConfigError naming the key whose file cannot be read. */
export function readTls(listener: ListenerConfig, path: string): TlsMaterial | undefined {
  const { tls } = listener;
  if (tls === undefined) return undefined;
  const read = (file: string, key: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new ConfigError(`cannot read ${path}.tls.${key}: ${errorCode(cause)}`, {
        path: `${path}.tls.${key}`,
        cause,
      });
    }
  };
  return {
    cert: read(tls.cert_file, 'cert_file'),
    key: read(tls.key_file, 'key_file'),
    clientCa: tls.client_ca_file === undefined ? undefined : read(tls.client_ca_file, 'client_ca_file'),
  };
}

/** Classifies why a socket could not listen. */
export function listenError(listener: ListenerConfig, cause: unknown): CustodyError {
  const place = `${listener.host}:${listener.port}`;
  const code = errorCode(cause);
  return code === 'EADDRINUSE'
    ? new PermanentError('port_taken', `cannot listen on ${place}: the port is in use`, { cause })
    : new ConfigError(`cannot listen on ${place}: ${code}`, { cause });
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
