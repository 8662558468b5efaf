import { Command } from 'commander';
import type { Alarm } from '../pipeline/alarms.ts';
import type { Address, Addresses } from '../pipeline/run-file.ts';
import { ROLES, type Role } from '../pipeline/roles.ts';
import type { Config } from '../schemas/config.ts';
import { ConfigError } from '../runtime/errors.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { readTokens, secretsOf } from './secrets.ts';
import { version } from './version.ts';

interface StartOptions extends CommonOptions {
  readonly role: readonly string[];
}

/** `custody start`: the whole pipeline in this process until SIGINT or SIGTERM. */
export function startCommand(): Command {
  return withCommonOptions(new Command('start'))
    .description('run the pipeline: collectors, log, detectors, ledger, sinks')
    .option('-r, --role <roles...>', `only this part of a fleet: ${ROLES.join(', ')}, or all`, splitRoles, [])
    .addHelpText(
      'after',
      `
Examples:
  custody start                                        everything in this process
  CUSTODY_SQL_LISTENER_PORT=8124 custody start --data-dir /var/lib/custody
  custody start --role collector                       one part, on Kafka (log.type: kafka)
  custody start --role detect,sink                     two parts in one process`,
    )
    .action(async (options: StartOptions) => {
      const config = configOf(options);
      const roles = rolesOf(options.role);
      // Loaded when needed: a tap, which is this program too, must stay small.
      const { startPipeline } = await import('../pipeline/assemble.ts');
      const logger = createLogger({ level: config.log_level });
      const pipeline = await startPipeline({
        config,
        version,
        roles,
        tokens: {
          ingest: readTokens(config.ingest.tokens, 'ingest.tokens', process.env),
          sql: readTokens(config.sql.tokens, 'sql.tokens', process.env),
          admin: readTokens(config.admin.tokens, 'admin.tokens', process.env),
        },
        secrets: secretsOf(process.env),
        clock: systemClock,
        logger,
      });
      const { addresses } = pipeline;
      const { ready, alarms } = await pipeline.status();
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ready, roles: [...roles], ...addresses })}\n`
          : greeting(addresses, whereOf(config, roles), alarms),
      );
      await new Promise<void>((resolve) => {
        process.once('SIGINT', resolve);
        process.once('SIGTERM', resolve);
      });
      process.stderr.write('custody: draining what was accepted, then stopping\n');
      await pipeline.stop();
    });
}

const splitRoles = (text: string, before: string[]): string[] => [...before, ...text.split(',')];

/** @throws ConfigError for a name that is no role. */
function rolesOf(names: readonly string[]): ReadonlySet<Role> {
  if (names.length === 0 || names.includes('all')) return new Set(ROLES);
  const isRole = (name: string): name is Role => (ROLES as readonly string[]).includes(name);
  const unknown = names.find((name) => !isRole(name));
  if (unknown !== undefined) {
    throw new ConfigError(`cannot start role ${unknown}: there are ${ROLES.join(', ')} and all`, {
      path: '--role',
    });
  }
  return new Set(names.filter(isRole));
}

/** Where this process keeps its data, for the greeting. */
function whereOf({ log, store, data_dir }: Config, roles: ReadonlySet<Role>): string {
  if (log.type === 'embedded') return `data in ${data_dir}`;
  const parts = roles.size === ROLES.length ? 'all roles' : `role ${[...roles].join(', ')}`;
  return `${parts}; log on Kafka at ${log.brokers.join(',')}${store.type === 'clickhouse' ? `, store at ${store.url}` : ''}`;
}

function greeting(addresses: Addresses, where: string, alarms: readonly Alarm[]): string {
  const line = (label: string, address: Address | undefined, path: string) =>
    address === undefined
      ? []
      : [`  ${label.padEnd(14)} ${address.tls ? 'https' : 'http'}://${address.host}:${address.port}${path}`];
  return [
    `custody ${version} ${alarms.length === 0 ? 'is ready' : 'needs a human'}; ${where}`,
    ...alarms.map(({ component, message }) => `  ALARM          ${component}: ${message}`),
    ...line('OTLP HTTP', addresses.http, '   (/v1/traces, /v1/logs; audit events: /v1/audit)'),
    ...line('OTLP gRPC', addresses.grpc, ''),
    ...line('SQL', addresses.sql, '   (read-only, ClickHouse HTTP)'),
    ...line('health', addresses.admin, '/readyz   (/metrics, /v1/status)'),
    '  stop with Ctrl-C',
    '',
  ].join('\n');
}
