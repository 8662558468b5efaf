import kafkajs, { type Admin, type ITopicConfig, type Kafka } from 'kafkajs';
import { sleep } from '../../runtime/backoff.ts';
import { ConfigError, PermanentError } from '../../runtime/errors.ts';
import type { KafkaLogConfig } from '../../schemas/config.ts';
import { STATE_AREAS, TOPIC_NAMES } from '../topic.ts';
import { RECORD_MAX_BYTES } from './appender.ts';
import { kafkaErrorType, kafkaStartError } from './kafka-error.ts';
import { namesIn } from './names.ts';

const NOT_YET_KNOWN: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);
const KNOWN_ATTEMPTS = 40;
const KNOWN_WAIT_MS = 250;
const HOUR_MS = 3_600_000;
/** Room for one request of the appender around the longest record. */
const BATCH_MAX_BYTES = RECORD_MAX_BYTES + 4 * 1024 * 1024;

type Settings = Readonly<Record<string, string>>;

export interface WantedTopic {
  readonly topic: string;
  readonly partitions: number;
  /** Configuration key of that number, when there is one. */
  readonly partitionsKey?: string;
  readonly replicas: number;
  /** What the topic is made with. */
  readonly settings: Settings;
  /** What an existing topic must have; the rest may differ. */
  readonly needed: Readonly<Record<string, (value: string) => boolean>>;
}

export interface TopicReport {
  readonly topic: string;
  readonly state: 'ready' | 'made' | 'missing' | 'wrong';
  /** One sentence for each setting that is not as it must be. */
  readonly problems: readonly string[];
}

const exactly = (wanted: string) => (value: string) => value === wanted;
const atLeast = (wanted: number) => (value: string) => Number(value) >= wanted;

/** Every topic of the pipeline with its settings. */
export function wantedTopics(config: KafkaLogConfig): WantedTopic[] {
  const names = namesIn(config.namespace);
  const inSync = Math.max(1, config.replication_factor - 1);
  const common: Settings = {
    'min.insync.replicas': String(inSync),
    'unclean.leader.election.enable': 'false',
    'max.message.bytes': String(BATCH_MAX_BYTES),
    'compression.type': 'producer',
  };
  const neededOfAll = {
    'min.insync.replicas': atLeast(inSync),
    'unclean.leader.election.enable': exactly('false'),
    'max.message.bytes': atLeast(BATCH_MAX_BYTES),
  };
  const size = {
    partitions: config.partitions,
    partitionsKey: 'log.partitions',
    replicas: config.replication_factor,
  };
  const records = TOPIC_NAMES.map((name) => ({
    topic: names.topic(name),
    ...size,
    settings: {
      ...common,
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'LogAppendTime',
      'retention.ms': String(config.retention_hours * HOUR_MS),
      'retention.bytes': '-1',
    },
    // An entry's time is its append time, and no record may go before its time.
    needed: {
      ...neededOfAll,
      'cleanup.policy': exactly('delete'),
      'message.timestamp.type': exactly('LogAppendTime'),
      'retention.ms': (value: string) => value === '-1' || Number(value) >= config.retention_hours * HOUR_MS,
      'retention.bytes': exactly('-1'),
    },
  }));
  const states = STATE_AREAS.map((area) => ({
    topic: names.state(area),
    ...size,
    settings: {
      ...common,
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.2',
      'segment.ms': String(6 * HOUR_MS),
      'max.compaction.lag.ms': String(24 * HOUR_MS),
    },
    needed: { ...neededOfAll, 'cleanup.policy': exactly('compact') },
  }));
  return [...records, ...states];
}

/** Makes the topics of the pipeline that are missing, when asked to, and compares all of them with what it needs. */
export const prepareTopics = (
  kafka: Kafka,
  config: KafkaLogConfig,
  create: boolean,
): Promise<TopicReport[]> => prepareWantedTopics(kafka, wantedTopics(config), create, config.brokers);

/** The same for any topics. */
export async function prepareWantedTopics(
  kafka: Kafka,
  wanted: readonly WantedTopic[],
  create: boolean,
  brokers: readonly string[],
): Promise<TopicReport[]> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const present = new Set(await admin.listTopics());
    const missing = wanted.filter(({ topic }) => !present.has(topic));
    if (create && missing.length > 0) await make(admin, missing);
    const made = new Set(create ? missing.map(({ topic }) => topic) : []);
    return await Promise.all(
      wanted.map(async (topic): Promise<TopicReport> => {
        const name = topic.topic;
        if (!made.has(name) && !present.has(name)) return { topic: name, state: 'missing', problems: [] };
        const problems = await onceKnown(() => problemsOf(admin, topic));
        const state = problems.length > 0 ? 'wrong' : made.has(name) ? 'made' : 'ready';
        return { topic: name, state, problems };
      }),
    );
  } catch (cause) {
    throw kafkaStartError(`prepare topics on ${brokers.join(',')}`, cause);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** @throws ConfigError or PermanentError naming the first topic that is missing or wrong, and what to do. */
export function refuseWrongTopics(reports: readonly TopicReport[]): void {
  for (const { topic, state, problems } of reports) {
    if (state === 'missing') {
      throw new PermanentError(
        'rejected',
        `cannot use topic ${topic}: it does not exist; run custody topics --create`,
      );
    }
    const [problem] = problems;
    if (problem !== undefined)
      throw new ConfigError(`cannot use topic ${topic}: ${problem}`, { path: 'log' });
  }
}

async function make(admin: Admin, topics: readonly WantedTopic[]): Promise<void> {
  const request = {
    // Its way of waiting gives up where a broker does not know the topic yet.
    waitForLeaders: false,
    topics: topics.map(({ topic, partitions, replicas, settings }): ITopicConfig => ({
      topic,
      numPartitions: partitions,
      replicationFactor: replicas,
      configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
    })),
  };
  try {
    await admin.createTopics(request);
  } catch (cause) {
    if (kafkaErrorType(cause)?.endsWith('AUTHORIZATION_FAILED') !== true) throw cause;
    throw new PermanentError(
      'rejected',
      'cannot make topics: the user may not; grant CREATE on the topic prefix, or run custody topics --create as a user who may',
      { cause },
    );
  }
}

/** A topic that was made a moment ago, here or by another worker, is not known to every broker at once. */
async function onceKnown<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const type = kafkaErrorType(error) ?? '';
      if (!NOT_YET_KNOWN.has(type) || attempt === KNOWN_ATTEMPTS) throw error;
      await sleep(KNOWN_WAIT_MS);
    }
  }
}

async function problemsOf(admin: Admin, wanted: WantedTopic): Promise<string[]> {
  const { topic, partitions, partitionsKey: key, needed, settings } = wanted;
  const [metadata] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics;
  const found = metadata?.partitions.length ?? 0;
  const problems: string[] = [];
  if (found !== partitions) {
    problems.push(
      key === undefined
        ? `it has ${found} partitions and must have ${partitions}`
        : `it has ${found} partitions, ${key} says ${partitions}; set ${key} to ${found}`,
    );
  }
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: Object.keys(needed) }],
  });
  const entries = new Map(
    resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
  );
  for (const [name, isRight] of Object.entries(needed)) {
    const value = entries.get(name);
    if (value !== undefined && isRight(value)) continue;
    const fix = `kafka-configs.sh --alter --topic ${topic} --add-config ${name}=${settings[name] ?? ''}`;
    problems.push(`${name} is ${value ?? 'unknown'} and must be ${settings[name] ?? 'otherwise'}; ${fix}`);
  }
  return problems;
}
