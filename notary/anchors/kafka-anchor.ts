import {
  ConfigError,
  CustodyError,
  IntegrityError,
  PermanentError,
  TransientError,
} from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import { createAppender } from '../../streams/kafka/appender.ts';
import { BRIEF_RETRY, createKafka } from '../../streams/kafka/client.ts';
import { createReader } from '../../streams/kafka/reader.ts';
import { prepareWantedTopics, type WantedTopic } from '../../streams/kafka/topic-settings.ts';
import type { Anchor } from '../anchor.ts';
import { formatCheckpointLine } from './checkpoint-line.ts';
import { isHeld } from './held.ts';
import { createTurn } from './in-turn.ts';
import { type KafkaRecords, kafkaRecords } from './kafka-records.ts';

const UNWRITTEN_MAX_BYTES = 16 * 1024 * 1024;

/**
 * A Kafka topic of one partition that keeps everything, best on a cluster, or at least under rights, that the store's
 * administrators do not have. Key: the log's origin; value: one line of JSON. `publish` resolves when all replicas in sync
 * have it.
 * @throws ConfigError or PermanentError for what does not pass by itself; when no broker answers, that is found out with
 * the first `publish`.
 */
export async function openKafkaAnchor(
  config: AnchorConfigOf<'kafka'>,
  deps: {
    readonly logger: Logger;
    readonly secrets: (
      reference: { file?: string | undefined; env?: string | undefined },
      path: string,
    ) => string;
  },
): Promise<Anchor> {
  const { id, topic, sasl, request_timeout_ms } = config;
  const path = `notary.anchors.${id}`;
  const credentials = {
    password: sasl === undefined ? undefined : deps.secrets(sasl.password, `${path}.sasl.password`),
  };
  const newKafka = () => createKafka(config, credentials, deps.logger, { retry: BRIEF_RETRY }, path);
  const inTurn = createTurn();
  const reader = createReader(newKafka(), [topic]);
  const appender = createAppender({
    newKafka,
    topic,
    partitions: 1,
    compression: 'none',
    unwrittenMaxBytes: UNWRITTEN_MAX_BYTES,
    deliveryTimeoutMs: 2 * request_timeout_ms,
  });
  const logs = new Map<string, KafkaRecords>();
  let isChecked = false;

  const recordsOf = (origin: string): KafkaRecords => {
    const records = logs.get(origin) ?? kafkaRecords(reader, topic, origin);
    logs.set(origin, records);
    return records;
  };

  async function check(): Promise<void> {
    if (isChecked) return;
    const [report] = await prepareWantedTopics(
      newKafka(),
      [wantedTopic(config)],
      config.create_topic,
      config.brokers,
    );
    if (report?.state === 'missing') {
      const reason = `it does not exist; make it, or set ${path}.create_topic`;
      throw new PermanentError('rejected', `cannot use topic ${topic}: ${reason}`);
    }
    const [problem] = report?.problems ?? [];
    if (problem !== undefined) throw new ConfigError(`cannot use topic ${topic}: ${problem}`, { path });
    isChecked = true;
  }

  /** One after the other, since each looks at the end of the topic; errors name this anchor's configuration. */
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    inTurn(async () => {
      try {
        await check();
        return await work();
      } catch (error) {
        throw ofAnchor(error, path);
      }
    });
  async function close(): Promise<void> {
    await Promise.all([reader.close(), appender.close()]);
  }

  try {
    await ask(() => Promise.resolve());
  } catch (error) {
    if (!(error instanceof TransientError)) {
      await close();
      throw error;
    }
    deps.logger.warn({ anchor: id, reason: error.message }, 'an anchor does not answer yet');
  }

  return {
    id,
    type: 'kafka',
    publish: (checkpoint) =>
      ask(async () => {
        const { origin } = checkpoint;
        const head = await recordsOf(origin).largest();
        if (isHeld(`topic ${topic}`, head, checkpoint))
          return { type: 'place', place: `kafka topic ${topic}` };
        const value = Buffer.from(formatCheckpointLine(checkpoint));
        const [written] = await appender.append([{ key: origin, value }]);
        return {
          type: 'place',
          place: `kafka topic ${topic}, partition 0, offset ${written?.offset ?? '?'}`,
        };
      }),
    latest: (origin) => ask(() => recordsOf(origin).largest()),
    close,
  };
}

/** Kept forever, and not compacted: compaction would let a later record remove an earlier one. */
function wantedTopic({ topic, replication_factor }: AnchorConfigOf<'kafka'>): WantedTopic {
  const inSync = Math.max(1, replication_factor - 1);
  const settings = {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(inSync),
    'unclean.leader.election.enable': 'false',
  };
  const exactly = (wanted: string) => (value: string) => value === wanted;
  return {
    topic,
    partitions: 1,
    replicas: replication_factor,
    settings,
    needed: {
      'cleanup.policy': exactly('delete'),
      'retention.ms': exactly('-1'),
      'retention.bytes': exactly('-1'),
      'message.timestamp.type': exactly('LogAppendTime'),
      'min.insync.replicas': (value) => Number(value) >= inSync,
      'unclean.leader.election.enable': exactly('false'),
    },
  };
}

/** The advice of `streams/kafka` is about the log's configuration. */
function ofAnchor(error: unknown, path: string): unknown {
  if (!(error instanceof CustodyError) || error instanceof IntegrityError) return error;
  const message = error.message.replace(/\blog\.(?=brokers|tls|sasl)/g, `${path}.`);
  if (message === error.message) return error;
  if (error instanceof PermanentError) return new PermanentError('rejected', message, { cause: error });
  if (error instanceof TransientError) return new TransientError('unavailable', message, { cause: error });
  return error;
}
