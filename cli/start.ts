import { Command } from 'commander';
import type { Alarm } from '../pipeline/alarms.ts';
import type { Address, Addresses } from '../pipeline/run-file.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { readSecret, readTokens } from './secrets.ts';
import { version } from './version.ts';

/** `custody start`: the whole pipeline in this process until SIGINT or SIGTERM. */
export function startCommand(): Command {
  return withCommonOptions(new Command('start'))
    .description('run the pipeline: collectors, log, detectors, ledger, sinks')
    .addHelpText(
      'after',
      '\nExamples:\n  custody start\n  CUSTODY_SQL_LISTENER_PORT=8124 custody start --data-dir /var/lib/custody',
    )
    .action(async (options: CommonOptions) => {
      const config = configOf(options);
      // Loaded when needed: a tap, which is this program too, must stay small.
      const { startPipeline } = await import('../pipeline/assemble.ts');
      const logger = createLogger({ level: config.log_level });
      const pipeline = await startPipeline({
        config,
        version,
        tokens: {
          ingest: readTokens(config.ingest.tokens, 'ingest.tokens', process.env),
          sql: readTokens(config.sql.tokens, 'sql.tokens', process.env),
          admin: readTokens(config.admin.tokens, 'admin.tokens', process.env),
        },
        secrets: (reference, path) => readSecret(reference, path, process.env),
        clock: systemClock,
        logger,
      });
      const { addresses } = pipeline;
      const { ready, alarms } = await pipeline.status();
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ready, ...addresses })}\n`
          : greeting(addresses, config.data_dir, alarms),
      );
      await new Promise<void>((resolve) => {
        process.once('SIGINT', resolve);
        process.once('SIGTERM', resolve);
      });
      process.stderr.write('custody: draining what was accepted, then stopping\n');
      await pipeline.stop();
    });
}

function greeting(addresses: Addresses, dataDir: string, alarms: readonly Alarm[]): string {
  const line = (label: string, address: Address | undefined, path: string) =>
    address === undefined
      ? []
      : [`  ${label.padEnd(14)} ${address.tls ? 'https' : 'http'}://${address.host}:${address.port}${path}`];
  return [
    `custody ${version} ${alarms.length === 0 ? 'is ready' : 'needs a human'}; data in ${dataDir}`,
    ...alarms.map(({ component, message }) => `  ALARM          ${component}: ${message}`),
    ...line('OTLP HTTP', addresses.http, '   (/v1/traces, /v1/logs; audit events: /v1/audit)'),
    ...line('OTLP gRPC', addresses.grpc, ''),
    ...line('SQL', addresses.sql, '   (read-only, ClickHouse HTTP)'),
    ...line('health', addresses.admin, '/readyz   (/metrics, /v1/status)'),
    '  stop with Ctrl-C',
    '',
  ].join('\n');
}
