import { Command } from 'commander';
import { TransientError } from '../runtime/errors.ts';
import { readRunFile, type Address } from '../pipeline/run-file.ts';
import { ROLES } from '../pipeline/roles.ts';
import type { Learning, Status, TopicStatus } from '../pipeline/status.ts';
import type { Config } from '../schemas/config.ts';
import { exitCodes } from './exit-codes.ts';
import { configOf, withCommonOptions, type CommonOptions, type SetExitCode } from './options.ts';
import { readTokens, secretsOf } from './secrets.ts';

/** `custody status`: is the pipeline of this data directory running, ready, and how far behind is each stage. */
export function statusCommand(setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('status'))
    .description('show whether the pipeline runs, is ready, and how far behind each stage is')
    .addHelpText(
      'after',
      `
Examples:
  custody status
  custody status --json | jq '.alarms'
  custody status --tenant acme               also how far each detector has learned what is normal for it
  custody status --config fleet.yaml         of a fleet: how far behind its groups are on Kafka`,
    )
    .addHelpText('after', '\nExample:\n  custody status --json | jq .topics')
    .option('-t, --tenant <id>', 'also: which detectors still learn what is normal for this tenant')
    .action(async (options: CommonOptions & { readonly tenant?: string }) => {
      const config = configOf(options);
      if (config.log.type === 'kafka') {
        const topics = await fleetTopics(config);
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ deployment: config.deployment, topics })}\n`
            : `deployment ${config.deployment ?? 'not configured'}, log on Kafka\n${describeTopics(topics)}\n`,
        );
        return;
      }
      const run = readRunFile(config.data_dir);
      if (run?.admin === undefined) {
        setExitCode(exitCodes.unavailable);
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ running: false })}\n`
            : `not running (data directory ${config.data_dir})\n`,
        );
        return;
      }
      const token = readTokens(config.admin.tokens, 'admin.tokens', process.env)[0]?.value;
      const status = await fetchAdmin<Status>(run.admin, '/v1/status', token);
      const learning =
        options.tenant === undefined
          ? undefined
          : await fetchAdmin<TenantLearning>(
              run.admin,
              `/v1/learning?tenant=${encodeURIComponent(options.tenant)}`,
              token,
            );
      if (!status.ready) setExitCode(exitCodes.unavailable);
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ running: true, pid: run.pid, ...status, ...(learning === undefined ? {} : { learning }) })}\n`
          : describe(status, run.pid) + (learning === undefined ? '' : describeLearning(learning)),
      );
    });
}

interface TenantLearning {
  readonly tenant: string;
  readonly detectors: Learning;
}

async function fetchAdmin<Answer>(admin: Address, path: string, token: string | undefined): Promise<Answer> {
  const url = `${admin.tls ? 'https' : 'http'}://${admin.host}:${admin.port}${path}`;
  let response: Response;
  try {
    response = await fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  } catch (cause) {
    throw new TransientError('unavailable', `cannot reach the admin endpoint ${url}: it does not answer`, {
      cause,
    });
  }
  if (!response.ok) throw new TransientError('unavailable', `cannot read ${url}: HTTP ${response.status}`);
  return (await response.json()) as Answer;
}

/** One line for each detector that learns. */
function describeLearning({ tenant, detectors }: TenantLearning): string {
  const lines = Object.entries(detectors).map(
    ([id, { learning, seen }]) => `  ${id.padEnd(24)} ${learning ? 'learning' : 'has learned'}, ${seen} seen`,
  );
  return lines.length === 0
    ? `learning: nothing is known of tenant ${tenant}\n`
    : `learning what is normal for tenant ${tenant}:\n${lines.join('\n')}\n`;
}

function describeTopics(topics: readonly TopicStatus[]): string {
  return topics
    .map(({ topic, end, lag }) => {
      const behind = Object.entries(lag).map(([group, records]) => `${group} ${records} behind`);
      return `${topic.padEnd(20)} ${end} records  ${behind.join(', ')}`;
    })
    .join('\n');
}

/** How far behind every group of the fleet is, asked of the brokers; each process tells its own health itself. */
async function fleetTopics(config: Config): Promise<TopicStatus[]> {
  const [{ openFleetLog }, { readersOf, topicStatus }, { createMetrics }] = await Promise.all([
    import('../pipeline/open-fleet.ts'),
    import('../pipeline/status.ts'),
    import('../runtime/metrics.ts'),
  ]);
  const log = await openFleetLog({ config, secrets: secretsOf(process.env) });
  try {
    return await topicStatus(log, readersOf(config, new Set(ROLES)), createMetrics());
  } finally {
    await log.close();
  }
}

/** What the detectors hold, and which of them still learn what is normal. */
function describeDetectors(detect: Status['detect']): string[] {
  const {
    tenants = 0,
    sessions = 0,
    quarantinedSessions = 0,
    heldSessions = 0,
    unjudgedSessions = 0,
  } = detect;
  if (tenants === 0) return [];
  const learning = Object.entries(detect)
    .filter(([name]) => name.startsWith('learning/'))
    .map(([name, count]) => `${name.slice('learning/'.length)} ${count}`);
  return [
    `detectors: ${tenants} tenants, ${sessions} open sessions, ${quarantinedSessions} of them under an alert`,
    `held back from learning until somebody judges their incident: ${heldSessions} sessions (given up unjudged: ${unjudgedSessions})`,
    learning.length === 0
      ? 'learning: no detector, in any tenant'
      : `learning, in so many tenants: ${learning.join(', ')}`,
  ];
}

function describe(status: Status, pid: number): string {
  const lines = [
    `custody ${status.version}, deployment ${status.deployment}, pid ${pid}, since ${status.started_at}`,
    status.ready ? 'ready' : 'NOT READY',
    ...status.alarms.map((alarm) => `ALARM ${alarm.component} ${alarm.code}: ${alarm.message}`),
    describeTopics(status.topics),
    ...describeDetectors(status.detect),
    ...status.sinks.map((sink) => `sink ${sink.id}: acknowledged by the ${sink.acknowledgement}`),
  ];
  return `${lines.join('\n')}\n`;
}
