import { Writable } from 'node:stream';
import { Command } from 'commander';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { readParameter } from './query-parameters.ts';
import { openSqlAccess } from './sql-access.ts';

interface QueryOptions extends CommonOptions {
  readonly format?: string;
  readonly param?: Readonly<Record<string, string>>;
}

/** `custody query`: one read-only statement over the store, running or stopped, straight to stdout. */
export function queryCommand(): Command {
  return withCommonOptions(new Command('query'))
    .description('run one read-only SQL statement over the store (ClickHouse dialect)')
    .argument('<sql>', 'the statement')
    .option(
      '-f, --format <name>',
      'ClickHouse output format (default: a table in a terminal, else TSVWithNames)',
    )
    .option(
      '--param <name=value>',
      'value of {name:Type} in the statement, bound by the store; repeatable',
      readParameter,
    )
    .addHelpText(
      'after',
      `
Examples:
  custody query "SELECT event_time, actor_id, tool_name FROM custody.tool_calls ORDER BY event_time DESC LIMIT 20"
  custody query --json "SELECT severity, count() AS alerts FROM custody.alerts GROUP BY severity"
  custody query --param tenant=acme "SELECT count() FROM custody.alerts WHERE tenant = {tenant:String}"
  custody query "DESCRIBE custody.tool_calls"`,
    )
    .action(async (sql: string, options: QueryOptions) => {
      const sqlAccess = await openSqlAccess(configOf(options));
      try {
        const format =
          options.json === true
            ? 'JSON'
            : (options.format ?? (process.stdout.isTTY ? 'PrettyCompactMonoBlock' : 'TSVWithNames'));
        const response = await sqlAccess.query(sql, { format, parameters: options.param ?? {} });
        await response.body?.pipeTo(Writable.toWeb(stdoutWritable()));
      } finally {
        await sqlAccess.close();
      }
    });
}

/** stdout as a stream that may be closed without closing stdout, and that a closed pipe (`| head`) does not crash. */
function stdoutWritable(): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      process.stdout.write(chunk, (error) =>
        done(error instanceof Error && 'code' in error && error.code === 'EPIPE' ? null : error),
      );
    },
  });
}
