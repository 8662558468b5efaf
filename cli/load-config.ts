import { existsSync, readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { ConfigError } from '../runtime/errors.ts';
import { configSchema, type Config, type ListenerConfig, type StoreConfig } from '../schemas/config.ts';
import { LOOPBACK } from '../schemas/config/loopback.ts';
import { applyEnvironment } from './environment.ts';

type Tree = Record<string, unknown>;

/** Looked for in the working directory when neither a flag nor `CUSTODY_CONFIG` names a file. */
export const DEFAULT_CONFIG_FILE = 'custody.yaml';

/**
 * The effective configuration: defaults, then the YAML file, then `CUSTODY_*` environment variables.
 * @throws ConfigError naming the path of the first wrong key.
 */
export function loadConfig(options: {
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}): Config {
  const file = options.file ?? options.env['CUSTODY_CONFIG'];
  const tree =
    file === undefined && !existsSync(DEFAULT_CONFIG_FILE) ? {} : readTree(file ?? DEFAULT_CONFIG_FILE);
  const parsed = configSchema.safeParse(applyEnvironment(tree, options.env, configSchema));
  if (!parsed.success) throw firstIssue(parsed.error);
  const config = parsed.data;
  checkListener('ingest.http', config.ingest.http, config.ingest.tokens.length);
  checkListener('ingest.grpc', config.ingest.grpc, config.ingest.tokens.length);
  checkListener('sql.listener', config.sql.listener, config.sql.tokens.length);
  checkListener('admin.listener', config.admin.listener, config.admin.tokens.length);
  checkLog(config.log);
  checkStore(config.store);
  checkSinkIds(config);
  return config;
}

function readTree(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cannot read configuration ${file}: ${errnoOf(cause)}`, { cause });
  }
  let tree: unknown;
  try {
    tree = parse(text);
  } catch (cause) {
    const where = cause instanceof YAMLParseError ? ` at line ${cause.linePos?.[0].line ?? '?'}` : '';
    throw new ConfigError(`cannot parse configuration ${file}: not valid YAML${where}`, { cause });
  }
  if (tree === null || tree === undefined) return {};
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    throw new ConfigError(`cannot use configuration ${file}: the top level must be a mapping of keys`);
  }
  return tree as Tree;
}

function firstIssue(error: z.ZodError): ConfigError {
  const issue = error.issues[0];
  if (issue === undefined)
    return new ConfigError('cannot use configuration: it is invalid', { cause: error });
  const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
  const path = keys.map(String).join('.');
  const reason =
    issue.code === 'unrecognized_keys'
      ? 'no such key (custody config check shows all of them)'
      : issue.message.replace(/^Invalid input: /, '');
  return new ConfigError(`cannot use configuration: ${path === '' ? 'the top level' : path}: ${reason}`, {
    path,
    cause: error,
  });
}

/** Promise P8: beyond loopback only with authentication and TLS. */
function checkListener(path: string, listener: ListenerConfig, tokenCount: number): void {
  if (!listener.enabled || LOOPBACK.test(listener.host)) return;
  if (tokenCount === 0) {
    const tokens = `${path.split('.')[0] ?? path}.tokens`;
    throw new ConfigError(
      `cannot listen on ${listener.host}: ${path}.host is not loopback, so ${tokens} must name a token`,
      {
        path: `${path}.host`,
      },
    );
  }
  if (listener.tls === undefined && !listener.dangerously_without_tls) {
    throw new ConfigError(
      `cannot listen on ${listener.host}: ${path}.host is not loopback, so ${path}.tls must name a certificate ` +
        `(or ${path}.dangerously_without_tls: true behind a proxy that terminates TLS)`,
      { path: `${path}.tls` },
    );
  }
}

/** Beyond loopback the ledger's server is reached with a password and over TLS. */
function checkStore(store: StoreConfig): void {
  if (store.type === 'embedded') return;
  const { hostname, protocol } = new URL(store.url);
  if (LOOPBACK.test(hostname)) return;
  if (store.password === undefined) {
    throw new ConfigError(
      `cannot use store ${hostname}: store.url is not loopback, so store.password must name a file or an env variable`,
      { path: 'store.password' },
    );
  }
  if (protocol !== 'https:' && !store.dangerously_without_tls) {
    throw new ConfigError(
      `cannot use store ${hostname}: store.url is not loopback, so it must begin with https:// ` +
        '(or store.dangerously_without_tls: true on a network nobody else is on)',
      { path: 'store.url' },
    );
  }
}

/** Records and credentials do not cross a network in the clear. */
function checkLog(log: Config['log']): void {
  if (log.type === 'embedded' || log.tls !== undefined || log.dangerously_without_tls) return;
  const beyond = log.brokers.find((broker) => !LOOPBACK.test(broker.replace(/:\d+$/, '')));
  if (beyond === undefined) return;
  throw new ConfigError(
    `cannot use broker ${beyond}: log.brokers is not loopback, so log.tls must be set ` +
      '(or log.dangerously_without_tls: true on a network nobody else is on)',
    { path: 'log.tls' },
  );
}

function checkSinkIds(config: Config): void {
  const seen = new Set<string>();
  config.sinks.forEach((sink, index) => {
    if (seen.has(sink.id)) {
      throw new ConfigError(
        `cannot use configuration: sinks.${index}.id: another sink is called ${sink.id}`,
        {
          path: `sinks.${index}.id`,
        },
      );
    }
    seen.add(sink.id);
  });
}

function errnoOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : 'unreadable';
}
