import { Command } from 'commander';
import type { MigrationReport } from '../sinks/store/migrate.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { readSecret } from './secrets.ts';

interface MigrateFlags extends CommonOptions {
  readonly dryRun?: boolean;
}

/** `custody migrate`: makes or updates the tables on a ClickHouse server, statement by statement. */
export function migrateCommand(): Command {
  return withCommonOptions(new Command('migrate'))
    .description('make or update the tables of a ledger on a ClickHouse server')
    .option('--dry-run', 'print the statements and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  custody migrate --dry-run > schema.sql      the statements, for whoever runs them by hand
  CUSTODY_STORE_USERNAME=custody_migrator CUSTODY_STORE_PASSWORD_FILE=/run/secrets/migrator custody migrate
  custody migrate --json | jq .to             the schema version, for a deployment

An embedded store is migrated when it is opened. Users and rights: deploy/clickhouse/roles.sql`,
    )
    .action(async (flags: MigrateFlags) => {
      const { store: config } = configOf(flags);
      if (config.type === 'embedded') {
        process.stdout.write(
          flags.json === true
            ? `${JSON.stringify({ store: 'embedded', statements: [] })}\n`
            : 'The store is embedded: it is migrated whenever it is opened. Nothing to do.\n',
        );
        return;
      }
      const dryRun = flags.dryRun === true;
      const password =
        config.password === undefined
          ? undefined
          : readSecret(config.password, 'store.password', process.env);
      const { migrateServer } = await import('../sinks/store/server-store.ts');
      const report = await migrateServer(
        { config, password },
        {
          dryRun,
          onStatement(statement) {
            if (flags.json !== true) process.stdout.write(`${statement};\n\n`);
          },
        },
      );
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ store: 'clickhouse', url: config.url, dry_run: dryRun, ...report })}\n`
          : describe(report, dryRun),
      );
    });
}

/** Lines for a person; what is not a statement is a SQL comment, so that the output can be run. */
function describe({ from, to, statements }: MigrationReport, dryRun: boolean): string {
  if (statements.length === 0) return `-- the schema is version ${to}; nothing to do\n`;
  const count = `${statements.length} statements, schema version ${from} to ${to}`;
  if (!dryRun) return `-- done: ${count}\n`;
  return [...statements.map((statement) => `${statement};\n`), `-- would run ${count}`, ''].join('\n');
}
