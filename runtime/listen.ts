import { readFileSync } from 'node:fs';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { ListenerConfig } from '../schemas/config.ts';
import { ConfigError, PermanentError } from './errors.ts';

/** TLS options of a listener: 1.2 or newer, client certificates demanded when a client CA is named. */
export function serverTls(key: string, tls: NonNullable<ListenerConfig['tls']>): SecureContextOptions & TlsOptions {
  const read = (name: string, file: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new ConfigError(`cannot read ${key}.tls.${name}: ${file} is not readable`, { path: `${key}.tls.${name}`, cause });
    }
  };
  return {
    cert: read('cert_file', tls.cert_file),
    key: read('key_file', tls.key_file),
    minVersion: 'TLSv1.2',
    ...(tls.client_ca_file === undefined
      ? {}
      : { ca: read('client_ca_file', tls.client_ca_file), requestCert: true, rejectUnauthorized: true }),
  };
}

/**
 * A failed `listen` as one sentence that says which key to change; any other error as it was.
 * @param key configuration path of the listener, such as `ingest.http`
 */
export function listenError(key: string, listener: ListenerConfig, cause: unknown): unknown {
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const reason = typeof errno === 'string' ? reasons[errno] : undefined;
  if (reason === undefined) return cause;
  const variable = `CUSTODY_${key.replaceAll('.', '_').toUpperCase()}_PORT`;
  return new PermanentError(
    'port_taken',
    `cannot listen on ${listener.host}:${listener.port}: ${reason} (set ${key}.port or ${variable})`,
    { path: `${key}.port`, cause },
  );
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken by another process',
  EACCES: 'not permitted for this user',
  EADDRNOTAVAIL: 'this machine has no such address',
};
