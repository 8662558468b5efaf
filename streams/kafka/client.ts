import { readFileSync } from 'node:fs';
import kafkajs, { type Kafka, type KafkaConfig, type LogEntry } from 'kafkajs';
import { ConfigError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { KafkaLogConfig } from '../../schemas/config.ts';

/** How a cluster is reached, whatever is kept on it. */
export type KafkaConnection = Pick<KafkaLogConfig, 'brokers' | 'request_timeout_ms' | 'tls' | 'sasl'>;

export interface KafkaCredentials {
  /** Of `sasl`, when it is configured. */
  readonly password: string | undefined;
}

/** How often kafkajs itself repeats a request: about 20 s in all, then the caller hears of it. */
const RETRY = { retries: 8, initialRetryTime: 100, maxRetryTime: 5_000 };

/** For those who repeat requests themselves. */
export const BRIEF_RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 };

/**
 * A client: addresses, credentials and patience; it holds no connection, those that it makes do.
 * @param path of the configuration, for messages
 */
export function createKafka(
  config: KafkaConnection,
  credentials: KafkaCredentials,
  logger: Logger | undefined,
  changes: Partial<KafkaConfig> = {},
  path = 'log',
): Kafka {
  return new kafkajs.Kafka({
    clientId: 'custody',
    brokers: [...config.brokers],
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: config.request_timeout_ms,
    retry: RETRY,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => (entry) => log(logger, entry),
    ...tlsOf(config, path),
    ...saslOf(config, credentials),
    ...changes,
  });
}

/** Whatever kafkajs calls an error is retried by it or reaches us as one; its words are for debugging. */
function log(logger: Logger | undefined, { log: { message, ...rest } }: LogEntry): void {
  const { groupId, memberId, broker, error } = rest as Record<string, unknown>;
  logger?.debug({
    kafka: message,
    groupId,
    memberId,
    broker,
    error: typeof error === 'string' ? error : undefined,
  });
}

function tlsOf({ tls }: KafkaConnection, path: string): Pick<KafkaConfig, 'ssl'> {
  if (tls === undefined) return {};
  const { ca_file, cert_file, key_file, server_name } = tls;
  return {
    ssl: {
      ...(ca_file !== undefined && { ca: [readFile(ca_file, `${path}.tls.ca_file`)] }),
      ...(cert_file !== undefined && { cert: readFile(cert_file, `${path}.tls.cert_file`) }),
      ...(key_file !== undefined && { key: readFile(key_file, `${path}.tls.key_file`) }),
      ...(server_name !== undefined && { servername: server_name }),
    },
  };
}

function saslOf({ sasl }: KafkaConnection, { password = '' }: KafkaCredentials): Pick<KafkaConfig, 'sasl'> {
  if (sasl === undefined) return {};
  const { username } = sasl;
  switch (sasl.mechanism) {
    case 'plain':
      return { sasl: { mechanism: 'plain', username, password } };
    case 'scram-sha-256':
      return { sasl: { mechanism: 'scram-sha-256', username, password } };
    case 'scram-sha-512':
      return { sasl: { mechanism: 'scram-sha-512', username, password } };
  }
}

function readFile(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: it is missing or unreadable`, {
      path: key,
      cause,
    });
  }
}
