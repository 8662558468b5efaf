import { Command } from 'commander';
import { ConfigError } from '../runtime/errors.ts';
import type { TopicReport } from '../streams/kafka/topic-settings.ts';
import { exitCodes } from './exit-codes.ts';
import { configOf, withCommonOptions, type CommonOptions, type SetExitCode } from './options.ts';
import { secretsOf } from './secrets.ts';

interface TopicsFlags extends CommonOptions {
  readonly create?: boolean;
}

/** `custody topics`: are the topics on Kafka there and as they must be; makes missing ones. */
export function topicsCommand(setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('topics'))
    .description('check the topics on Kafka; --create makes those that are missing')
    .option('--create', 'make missing topics; never changes one that exists')
    .addHelpText(
      'after',
      `
Examples:
  custody topics                     what is there, what is missing, what is set wrongly and how to set it
  custody topics --create            once, with a user that may create topics
  custody topics --json | jq '.[] | select(.state != "ready")'`,
    )
    .action(async (flags: TopicsFlags) => {
      const config = configOf(flags);
      if (config.log.type !== 'kafka') {
        throw new ConfigError('cannot check topics: the log is embedded and has none on Kafka', {
          path: 'log.type',
        });
      }
      const [{ createKafka }, { prepareTopics }, { kafkaCredentials }] = await Promise.all([
        import('../streams/kafka/client.ts'),
        import('../streams/kafka/topic-settings.ts'),
        import('../pipeline/open-data.ts'),
      ]);
      const credentials = kafkaCredentials({ config, secrets: secretsOf(process.env) });
      const kafka = createKafka(config.log, credentials, undefined, { retry: { retries: 3 } });
      const reports = await prepareTopics(kafka, config.log, flags.create === true);
      process.stdout.write(flags.json === true ? `${JSON.stringify(reports)}\n` : describe(reports));
      if (reports.some(({ state }) => state === 'missing' || state === 'wrong'))
        setExitCode(exitCodes.failed);
    });
}

function describe(reports: readonly TopicReport[]): string {
  const lines = reports.flatMap(({ topic, state, problems }) => [
    `${topic.padEnd(28)} ${state}${state === 'missing' ? '  (custody topics --create makes it)' : ''}`,
    ...problems.map((problem) => `    ${problem}`),
  ]);
  return `${lines.join('\n')}\n`;
}
