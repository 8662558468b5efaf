import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TransientError } from '../../runtime/errors.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import type { RecordPlace, Topic } from '../../streams/topic.ts';
import { startKafkaCluster, type KafkaCluster } from '../support/kafka/cluster.ts';
import { kafkaConfig } from './kafka-harness.ts';

const PARTITIONS = 6;
const KEYS = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
const at = ({ partition, offset }: RecordPlace) => `${partition}/${offset}`;

/** A caller that appends one record after the other for its key, each again until it is acknowledged. */
async function appendInOrder(topic: Topic, key: string, isOver: () => boolean) {
  const acknowledged: { readonly place: RecordPlace; readonly text: string }[] = [];
  const sent = new Map<string, number>();
  for (let index = 0; !isOver(); index += 1) {
    const text = `${key}:${index}`;
    for (;;) {
      sent.set(text, (sent.get(text) ?? 0) + 1);
      try {
        const [place] = await topic.append([{ key, value: Buffer.from(text) }]);
        acknowledged.push({ place: place as RecordPlace, text });
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(TransientError);
        if (isOver()) return { acknowledged, sent };
        await pause(50);
      }
    }
  }
  return { acknowledged, sent };
}

describe('appending to a Kafka of three brokers that die', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await startKafkaCluster({ brokers: 3 });
  });
  afterAll(() => cluster.stop());

  it('keeps every acknowledged record once, at its place, in the order of its caller', async () => {
    const config = kafkaConfig(cluster.bootstrap, {
      partitions: PARTITIONS,
      replication_factor: 3,
      request_timeout_ms: 4_000,
    });
    const log = await openKafkaLog({ config, credentials: { password: undefined } });
    const topic = log.topic('custody.events');
    let over = false;
    const callers = Promise.all(KEYS.map((key) => appendInOrder(topic, key, () => over)));
    for (const id of [1, 2]) {
      await pause(1_000);
      await cluster.kill(id, 'SIGKILL');
      await pause(1_500);
      await cluster.restart(id);
    }
    await pause(500);
    over = true;
    const results = await callers;
    const stored = new Map<string, string>();
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      for await (const record of topic.read(partition, 0n)) {
        stored.set(at(record), Buffer.from(record.value).toString());
      }
    }
    await log.close();
    const counts = new Map<string, number>();
    for (const text of stored.values()) counts.set(text, (counts.get(text) ?? 0) + 1);
    for (const { acknowledged, sent } of results) {
      expect(acknowledged.length).toBeGreaterThan(3);
      for (const [index, { place, text }] of acknowledged.entries()) {
        expect(stored.get(at(place))).toBe(text);
        if (index > 0) expect(place.offset).toBeGreaterThan(acknowledged[index - 1]?.place.offset ?? -1n);
      }
      for (const [text, times] of sent) expect(counts.get(text) ?? 0).toBeLessThanOrEqual(times);
      // One that was sent once and acknowledged is there once.
      for (const { text } of acknowledged) expect(counts.get(text)).toBeGreaterThan(0);
    }
    const total = results.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
    const failed = results.reduce(
      (sum, { sent }) => sum + [...sent.values()].reduce((more, times) => more + times, 0) - sent.size,
      0,
    );
    expect(stored.size).toBeLessThanOrEqual(total + failed + KEYS.length);
  });
});
