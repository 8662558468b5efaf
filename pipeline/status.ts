import type { NotaryStatus } from '../notary/notary.ts';
import type { Log, Topic, TopicName } from '../streams/topic.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Alarm } from './alarms.ts';
import type { Config } from '../schemas/config.ts';
import { LEDGER_GROUP } from '../sinks/store/ledger-writer.ts';
import type { Role } from './roles.ts';
import type { ScrubStatus } from './scrub.ts';

export interface TopicStatus {
  readonly topic: TopicName;
  /** Records appended since the topic exists. */
  readonly end: string;
  /** Records each consumer group has still to handle. */
  readonly lag: Readonly<Record<string, string>>;
}

/** By detector id, for one tenant. */
export type Learning = Readonly<Record<string, { readonly learning: boolean; readonly seen: number }>>;

export interface Status {
  readonly version: string;
  readonly deployment: string;
  readonly started_at: string;
  readonly roles: readonly Role[];
  readonly ready: boolean;
  readonly alarms: readonly Alarm[];
  readonly topics: readonly TopicStatus[];
  readonly detect: Readonly<Record<string, number>>;
  readonly sinks: readonly { readonly id: string; readonly acknowledgement: string }[];
  /** Where this process signs checkpoints. */
  readonly notary?: NotaryStatus;
  /** The last verifications of the store by schedule, since the start of this process. */
  readonly verification: ScrubStatus;
}

/** Which consumer groups of this process read which topic. */
export type Readers = Readonly<Partial<Record<TopicName, readonly string[]>>>;

/** The groups of these roles. */
export function readersOf({ sinks }: Config, roles: ReadonlySet<Role>): Record<TopicName, string[]> {
  const ledger = roles.has('ledger') ? [LEDGER_GROUP] : [];
  return {
    'custody.events': [...ledger, ...(roles.has('detect') ? ['detect'] : [])],
    'custody.alerts': [...ledger, ...(roles.has('sink') ? sinks.map(({ id }) => `sink.${id}`) : [])],
    'custody.deadletter': ledger,
  };
}

/** Reads ends and committed offsets; also refreshes the lag metric. */
export async function topicStatus(
  log: Pick<Log, 'topic'>,
  readers: Readers,
  metrics: Metrics,
): Promise<TopicStatus[]> {
  const names = Object.keys(readers) as TopicName[];
  return Promise.all(
    names.map(async (name) => {
      const topic = log.topic(name);
      const lag: Record<string, string> = {};
      for (const group of readers[name] ?? []) {
        const records = await lagOf(topic, group);
        lag[group] = String(records);
        metrics.lag.set({ topic: name, group }, Number(records));
      }
      return { topic: name, end: String(await endOf(topic)), lag };
    }),
  );
}

async function lagOf(topic: Topic, group: string): Promise<bigint> {
  let lag = 0n;
  for (let partition = 0; partition < topic.partitions; partition++) {
    const { start, end } = await topic.bounds(partition);
    const committed = (await topic.committed(group, partition)) ?? start;
    if (end > committed) lag += end - committed;
  }
  return lag;
}

async function endOf(topic: Topic): Promise<bigint> {
  let end = 0n;
  for (let partition = 0; partition < topic.partitions; partition++)
    end += (await topic.bounds(partition)).end;
  return end;
}
