import type { Admin, Kafka, KafkaConfig } from 'kafkajs';
import { PermanentError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { KafkaLogConfig } from '../../schemas/config.ts';
import { type Log, STATE_AREAS, TOPIC_NAMES } from '../topic.ts';
import { openClaim } from './claims.ts';
import { BRIEF_RETRY, createKafka, type KafkaCredentials } from './client.ts';
import { kafkaStartError } from './kafka-error.ts';
import { kafkaTopic } from './kafka-topic.ts';
import { namesIn } from './names.ts';
import { createReader } from './reader.ts';
import { readState } from './state.ts';
import { prepareTopics, refuseWrongTopics } from './topic-settings.ts';

export interface KafkaLogOptions {
  readonly config: KafkaLogConfig;
  readonly credentials: KafkaCredentials;
  readonly metrics?: Metrics;
  readonly logger?: Logger;
}

/**
 * Opens the topics of a namespace on a Kafka cluster. Missing topics are made when the configuration says so; topics
 * with settings that would break a promise are refused.
 * @throws ConfigError, PermanentError (`rejected`: unknown host, wrong password, missing right) with what to do;
 * TransientError when the brokers do not answer.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const { config, credentials, metrics, logger } = options;
  const names = namesIn(config.namespace);
  const newKafka = (changes: Partial<KafkaConfig> = {}): Kafka =>
    createKafka(config, credentials, logger, changes);
  // Whoever starts the program waits for this answer: few repetitions.
  const starting = createKafka(config, credentials, logger, { retry: { retries: 3, initialRetryTime: 200 } });
  refuseWrongTopics(await prepareTopics(starting, config, config.create_topics));

  const closing = new AbortController();
  const former = config.former_namespaces.map((namespace) => namesIn(namespace).state('ledger'));
  const topicNames = [...TOPIC_NAMES.map(names.topic), ...STATE_AREAS.map(names.state), ...former];
  const reader = createReader(newKafka({ retry: BRIEF_RETRY }), topicNames);
  const admin = newKafka().admin();
  const release = () => Promise.all([reader.close(), admin.disconnect()]);
  try {
    await admin.connect();
    const formerHeads = await partitionsOf(admin, former);
    const topics = new Map(
      await Promise.all(
        TOPIC_NAMES.map(async (name) => {
          const topicId = await reader.uuid(names.topic(name));
          const parts = { name, topicId, config, names, newKafka, reader, admin, metrics, logger };
          return [name, kafkaTopic({ ...parts, closing: closing.signal })] as const;
        }),
      ),
    );
    let closed: Promise<void> | undefined;
    const close = async () => {
      closing.abort();
      await Promise.all([...topics.values()].map((topic) => topic.close()));
      await release();
    };
    return {
      topic(name) {
        const topic = topics.get(name);
        if (topic === undefined)
          throw new PermanentError('rejected', `cannot open topic ${name}: unknown name`);
        return topic;
      },
      claim: (of) => openClaim({ newKafka, names, partitions: config.partitions, reader }, of),
      states: (area) => [
        ...Array.from({ length: config.partitions }, (_, partition) =>
          readState(reader, names.state(area), partition),
        ),
        ...(area === 'ledger'
          ? formerHeads.map(({ topic, partition }) => readState(reader, topic, partition))
          : []),
      ],
      close: () => (closed ??= close()),
    };
  } catch (cause) {
    await release();
    throw kafkaStartError('open the topics', cause);
  }
}

/** The partitions of topics that this fleet only reads. */
async function partitionsOf(
  admin: Admin,
  topics: readonly string[],
): Promise<{ readonly topic: string; readonly partition: number }[]> {
  if (topics.length === 0) return [];
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
  return found.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionId }) => ({ topic: name, partition: partitionId })),
  );
}
