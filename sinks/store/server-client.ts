import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import {
  ClickHouseLogLevel,
  createClient,
  type ClickHouseClient,
  type ClickHouseSettings,
  type ClickHouseClientConfigOptions,
} from '@clickhouse/client';
import { ConfigError } from '../../runtime/errors.ts';
import type { ServerStoreConfig } from '../../schemas/config.ts';

export interface ServerAccess {
  readonly config: ServerStoreConfig;
  /** The secret `config.password` refers to; `undefined` = none. */
  readonly password?: string | undefined;
}

/** A query that runs long says so in headers this often, so that the request timeout bounds silence and not work. */
const PROGRESS_INTERVAL_MS = 5_000;
const PROGRESS_HEADERS_MAX_BYTES = 4 * 1024 * 1024;

/**
 * Settings of every request. The answer is complete on the server before its first byte is sent, so an error has a
 * status of its own and never stands among rows.
 */
export const REQUEST_SETTINGS: ClickHouseSettings = {
  wait_end_of_query: 1,
  send_progress_in_http_headers: 1,
  http_headers_progress_interval_ms: String(PROGRESS_INTERVAL_MS),
};

/**
 * The client of a server; nothing is sent yet. Answers come compressed, connections are kept, and inserts are not
 * compressed: they go once and over the shorter way.
 * @throws ConfigError naming the key of a certificate file that is not readable.
 */
export function createServerClient({ config, password = '' }: ServerAccess): ClickHouseClient {
  const tls = tlsOf(config);
  return createClient({
    url: config.url,
    username: config.username,
    password,
    application: 'custody',
    request_timeout: config.request_timeout_ms,
    compression: { response: true, request: false },
    keep_alive: { enabled: true, eagerly_destroy_stale_sockets: true },
    max_response_headers_size: PROGRESS_HEADERS_MAX_BYTES,
    clickhouse_settings: {
      ...REQUEST_SETTINGS,
      // A read sees every block a quorum has, or fails; without it a replica that lags would look like a cut tail.
      ...(config.cluster === undefined ? {} : { select_sequential_consistency: '1' }),
    },
    log: { level: ClickHouseLogLevel.OFF },
    ...(tls === undefined ? {} : { tls }),
  });
}

/**
 * What an insert into a cluster needs: a majority (or more) has the block before it counts, one block after the other,
 * so that a read with sequential consistency is a read of everything acknowledged.
 */
export function clusterInsertSettings(config: ServerStoreConfig): ClickHouseSettings {
  if (config.cluster === undefined) return {};
  return {
    insert_quorum: String(config.insert_quorum ?? 'auto'),
    insert_quorum_parallel: 0,
    // The server gives up before the client does, so the usual answer is an error and not silence.
    insert_quorum_timeout: Math.floor(config.request_timeout_ms / 2),
  };
}

function tlsOf(config: ServerStoreConfig): ClickHouseClientConfigOptions['tls'] {
  const { ca_file, cert_file, key_file } = config;
  const ca = ca_file === undefined ? undefined : certificate(ca_file, 'store.ca_file');
  if (cert_file === undefined || key_file === undefined) return ca && { ca_cert: ca };
  return {
    ca_cert: ca ?? Buffer.from(rootCertificates.join('\n')),
    cert: certificate(cert_file, 'store.cert_file'),
    key: certificate(key_file, 'store.key_file'),
  };
}

function certificate(file: string, path: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: file ${file} is not readable`, { path, cause });
  }
}
