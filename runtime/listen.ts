import { readFileSync } from 'node:fs';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { ListenerConfig } from '../schemas/config.ts';
import { ConfigError, PermanentError, type CustodyError } from './errors.ts';

/** Key material of a listener, read at start. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** With it a client must present a certificate this authority signed. */
  readonly clientCa: Buffer | undefined;
}

/**
 * Reads a listener's TLS files; `undefined` when it has none.
 * @param path configuration path of the listener, such as `ingest.http`
 * @throws ConfigError naming the key whose file cannot be read
 */
export function readTls(listener: ListenerConfig, path: string): TlsMaterial | undefined {
  const { tls } = listener;
  if (tls === undefined) return undefined;
  const read = (file: string, key: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      const name = `${path}.tls.${key}`;
      throw new ConfigError(`cannot read ${name}: ${codeOf(cause)}`, { path: name, cause });
    }
  };
  return {
    cert: read(tls.cert_file, 'cert_file'),
    key: read(tls.key_file, 'key_file'),
    clientCa: tls.client_ca_file === undefined ? undefined : read(tls.client_ca_file, 'client_ca_file'),
  };
}

/** Options of a Node TLS server: 1.2 or newer, client certificates demanded when a client CA is given. */
export function tlsServerOptions(tls: TlsMaterial): SecureContextOptions & TlsOptions {
  const client =
    tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2', ...client };
}

/** Why a socket could not listen, as one sentence that names the key to change. */
export function listenError(listener: ListenerConfig, path: string, cause: unknown): CustodyError {
  const key = `${path}.port`;
  const place = `${listener.host}:${listener.port}`;
  if (codeOf(cause) === 'EADDRINUSE') {
    const variable = `CUSTODY_${key.replaceAll('.', '_').toUpperCase()}`;
    const message = `cannot listen on ${place}: the port is in use; set ${key} or ${variable}`;
    return new PermanentError('port_taken', message, { path: key, cause });
  }
  return new ConfigError(`cannot listen on ${place}: ${codeOf(cause)}; check ${path}.host and ${key}`, {
    path,
    cause,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
