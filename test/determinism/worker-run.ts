import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import kafkajs from 'kafkajs';
import type { KafkaLogConfig } from '../../schemas/config.ts';
import { openServerStore, type ServerStore } from '../../sinks/store/server-store.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import { type Log, TOPIC_NAMES, type TopicName } from '../../streams/topic.ts';
import { serverConfig } from '../support/clickhouse/server-config.ts';
import { startFront, type Front } from '../support/clickhouse/start-front.ts';
import { until } from '../support/pipeline-process.ts';
import { kafkaConfig } from '../streams/kafka-harness.ts';
import type { WorkerCounts, WorkerOptions } from './child/worker.ts';

const script = fileURLToPath(new URL('./child/worker.ts', import.meta.url));
const DEADLINE_MS = 120_000;

/** What a run of some workers over a recorded log left behind. */
export interface WorkerRun {
  /** Its alerts, claims and ledger heads. */
  readonly own: Log;
  readonly store: ServerStore;
  readonly counts: readonly WorkerCounts[];
  close(): Promise<void>;
}

/**
 * Has so many processes, each with both stages, handle the whole recorded log into a store of their own; none begins
 * before all have their partitions.
 */
export async function runWorkers(recorded: KafkaLogConfig, count: number): Promise<WorkerRun> {
  const run = `w${count}`;
  const own = kafkaConfig(recorded.brokers, { partitions: recorded.partitions });
  const [front, log, ownLog] = await Promise.all([
    startFront(),
    openKafkaLog({ config: recorded, credentials: { password: undefined } }),
    openKafkaLog({ config: own, credentials: { password: undefined } }),
  ]);
  const store = await openServerStore({
    config: serverConfig(front.url, { migrate_on_start: true }),
    password: undefined,
  });
  const workers = Array.from({ length: count }, (_, index) =>
    startWorker({
      recorded,
      own,
      run,
      storeUrl: front.url,
      deployment: 'fleet',
      // Batches of another size in every process.
      ledgerBatchRecords: 83 + 400 * index + 1000 * (count - 1),
    }),
  );
  try {
    await membersOf(
      recorded,
      [`${run}-detect.events`, ...TOPIC_NAMES.map((name) => `${run}-ledger.${last(name)}`)],
      count,
    );
    for (const { send } of workers) send('go');
    await Promise.all([
      handled(log, 'custody.events', `${run}-detect`),
      ...TOPIC_NAMES.map((name) => handled(log, name, `${run}-ledger`)),
    ]);
    const counts = await Promise.all(workers.map((worker) => worker.stop()));
    await log.close();
    return { own: ownLog, store, counts, close: () => close(store, ownLog, front) };
  } catch (error) {
    for (const { child } of workers) child.kill('SIGKILL');
    await Promise.all([close(store, ownLog, front), log.close()]);
    throw new Error(`run ${run}: ${workers.map(({ stderr }) => stderr()).join('\n')}`, { cause: error });
  }
}

const last = (name: TopicName) => name.slice('custody.'.length);

async function close(store: ServerStore, log: Log, front: Front): Promise<void> {
  await store.close();
  await log.close();
  await front.stop();
}

function startWorker(options: WorkerOptions) {
  const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, MALLOC_ARENA_MAX: '2' },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-20_000)));
  const exited = once(child, 'exit');
  return {
    child,
    stderr: () => stderr,
    send: (line: string) => child.stdin.write(`${line}\n`),
    async stop(): Promise<WorkerCounts> {
      child.stdin.end('stop\n');
      const [code] = (await exited) as [number | null];
      if (code !== 0) throw new Error(`a worker ended with ${String(code)}: ${stderr}`);
      return JSON.parse(stdout) as WorkerCounts;
    },
  };
}

/** Waits until the groups of the namespace are settled with so many members each. */
export async function membersOf(
  config: Pick<KafkaLogConfig, 'brokers' | 'namespace'>,
  groups: readonly string[],
  count: number,
): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [...config.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ids = groups.map((group) => `${config.namespace}.${group}`);
    await until(
      `${count} members in ${ids.join()}`,
      async () => {
        const described = await admin.describeGroups(ids);
        return described.groups.every(({ state, members }) => state === 'Stable' && members.length === count);
      },
      DEADLINE_MS,
    );
  } finally {
    await admin.disconnect();
  }
}

/** Waits until the group has handled all that is in the topic. */
export async function handled(log: Log, name: TopicName, group: string): Promise<void> {
  const topic = log.topic(name);
  const isBehind = async (partition: number) => {
    const [{ start, end }, at] = await Promise.all([
      topic.bounds(partition),
      topic.committed(group, partition),
    ]);
    return (at ?? start) < end;
  };
  const partitions = Array.from({ length: topic.partitions }, (_, partition) => partition);
  await until(
    `${group} at the end of ${name}`,
    async () => !(await Promise.all(partitions.map(isBehind))).includes(true),
    DEADLINE_MS,
  );
}
