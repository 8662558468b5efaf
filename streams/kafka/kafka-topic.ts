import type { Admin, Kafka, KafkaConfig } from 'kafkajs';
import { TransientError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { KafkaLogConfig } from '../../schemas/config.ts';
import type { Topic, TopicName } from '../topic.ts';
import { createAppender } from './appender.ts';
import { consumedRecord } from './chunks.ts';
import { BRIEF_RETRY } from './client.ts';
import { committedOffset } from './committed-offset.ts';
import { consumeTopic } from './consume.ts';
import { kafkaError } from './kafka-error.ts';
import type { Names } from './names.ts';
import type { KafkaReader } from './reader.ts';

/** Long enough for a new leader to be found. */
const DELIVERY_MIN_MS = 10_000;

export interface KafkaTopicParts {
  readonly name: TopicName;
  readonly topicId: string;
  readonly config: KafkaLogConfig;
  readonly names: Names;
  readonly newKafka: (changes?: Partial<KafkaConfig>) => Kafka;
  readonly reader: KafkaReader;
  readonly admin: Admin;
  readonly metrics: Metrics | undefined;
  readonly logger: Logger | undefined;
  readonly closing: AbortSignal;
}

export function kafkaTopic(parts: KafkaTopicParts): Topic & { close(): Promise<void> } {
  const { name, config, names, reader, metrics, logger, closing } = parts;
  const topic = names.topic(name);
  const appender = createAppender({
    newKafka: parts.newKafka,
    topic,
    partitions: config.partitions,
    compression: config.compression,
    unwrittenMaxBytes: config.unwritten_max_bytes,
    deliveryTimeoutMs: Math.max(DELIVERY_MIN_MS, 2 * config.request_timeout_ms),
  });
  const running = new Set<Promise<void>>();

  async function bounds(partition: number) {
    const [start, end] = await Promise.all([
      reader.offset(topic, partition, 'start'),
      reader.offset(topic, partition, 'stable'),
    ]);
    return { start, end };
  }

  async function committed(group: string, partition: number): Promise<bigint | undefined> {
    try {
      return await committedOffset(parts.admin, names.group(group, name), topic, partition);
    } catch (cause) {
      throw kafkaError(`read the offsets of group ${group}`, cause);
    }
  }

  return {
    name,
    topicId: parts.topicId,
    partitions: config.partitions,
    async append(records) {
      const places = await appender.append(records);
      metrics?.appended.inc({ topic: name }, records.length);
      return places;
    },
    async consume(options) {
      if (closing.aborted)
        throw new TransientError('unavailable', `cannot consume ${name}: the log is closed`);
      const { group } = options;
      const run = consumeTopic(
        {
          kafka: parts.newKafka({ retry: BRIEF_RETRY }),
          topic,
          groupId: names.group(group, name),
          partitions: config.partitions,
          sessionTimeoutMs: config.session_timeout_ms,
          bounds,
          committed: (partition) => committed(group, partition),
          onMissed(partition, count) {
            metrics?.dropped.inc({ stage: group, reason: 'retention' }, Number(count));
            logger?.warn(
              { topic: name, group, partition, count: String(count) },
              'retention removed unread records',
            );
          },
          onRebalance: () => metrics?.rebalances.inc({ topic: name, group }),
          logger,
        },
        { ...options, signal: AbortSignal.any([options.signal, closing]) },
      );
      running.add(run);
      try {
        await run;
      } finally {
        running.delete(run);
      }
    },
    async *read(partition, from, to) {
      // All that was acknowledged until now, also what a transaction committed whose marker is still on its way.
      const [start, end] = await Promise.all([
        reader.offset(topic, partition, 'start'),
        reader.decidedEnd(topic, partition),
      ]);
      const until = to !== undefined && to < end ? to : end;
      for await (const records of reader.read(topic, partition, from < start ? start : from, until)) {
        for (const record of records) yield consumedRecord(record, partition);
      }
    },
    bounds,
    committed,
    async close() {
      await Promise.allSettled(running);
      await appender.close();
    },
  };
}
