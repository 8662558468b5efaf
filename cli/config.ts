import { Command } from 'commander';
import { stringify } from 'yaml';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { readSecret, readTokens } from './secrets.ts';

/** `custody config check`: is the configuration usable, and what is in force. Secrets are read but never printed. */
export function configCommand(): Command {
  const check = withCommonOptions(new Command('check'))
    .description('check the configuration and print what is in force; secrets stay references')
    .action((options: CommonOptions) => {
      const config = configOf(options);
      readTokens(config.ingest.tokens, 'ingest.tokens', process.env);
      readTokens(config.sql.tokens, 'sql.tokens', process.env);
      readTokens(config.admin.tokens, 'admin.tokens', process.env);
      config.sinks.forEach((sink, index) => {
        if (sink.type === 'webhook') readSecret(sink.secret, `sinks.${index}.secret`, process.env);
      });
      if (config.digest_key !== undefined) readSecret(config.digest_key, 'digest_key', process.env);
      if (config.store.type === 'clickhouse' && config.store.password !== undefined) {
        readSecret(config.store.password, 'store.password', process.env);
      }
      if (config.log.type === 'kafka' && config.log.sasl !== undefined) {
        readSecret(config.log.sasl.password, 'log.sasl.password', process.env);
      }
      process.stdout.write(
        options.json === true ? `${JSON.stringify(config, undefined, 2)}\n` : stringify(config),
      );
    });
  return new Command('config')
    .description('work with the configuration')
    .addCommand(check)
    .addHelpText(
      'afterAll',
      `
Examples:
  custody config check --config custody.yaml
  custody config check --json | jq .log`,
    );
}
