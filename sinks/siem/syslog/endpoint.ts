import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../../../runtime/errors.ts';
import type { SyslogEndpoint } from './connection.ts';

/** The part of a configuration that says where a receiver is. */
export interface SyslogReceiver {
  readonly host: string;
  readonly port: number;
  readonly transport: 'tls' | 'tcp';
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
  readonly server_name?: string | undefined;
}

/**
 * @param path of the configuration, such as `sinks.siem`
 * @throws ConfigError naming the key when a file cannot be read or the combination makes no sense.
 */
export function readEndpoint(receiver: SyslogReceiver, path: string): SyslogEndpoint {
  const { host, port, transport } = receiver;
  const tlsKeys = ['ca_file', 'cert_file', 'key_file', 'server_name'] as const;
  if (transport === 'tcp') {
    const extra = tlsKeys.find((key) => receiver[key] !== undefined);
    if (extra !== undefined)
      throw new ConfigError(`cannot use ${path}.${extra}: transport is tcp`, { path: `${path}.${extra}` });
    return { host, port, tls: undefined };
  }
  if ((receiver.cert_file === undefined) !== (receiver.key_file === undefined))
    throw new ConfigError(`cannot use ${path}.cert_file: cert_file and key_file belong together`, {
      path: `${path}.cert_file`,
    });
  const file = (key: 'ca_file' | 'cert_file' | 'key_file') => {
    const name = receiver[key];
    if (name === undefined) return undefined;
    try {
      return readFileSync(name);
    } catch (cause) {
      throw new ConfigError(`cannot read ${path}.${key}: ${name} is not readable`, {
        path: `${path}.${key}`,
        cause,
      });
    }
  };
  const [ca, cert, key] = [file('ca_file'), file('cert_file'), file('key_file')];
  try {
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    throw new ConfigError(`cannot use certificates of ${path}: not valid PEM, or the key is another one`, {
      path,
      cause,
    });
  }
  return { host, port, tls: { ca, cert, key, serverName: receiver.server_name } };
}
