import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError, IntegrityError, PermanentError, TransientError } from '../../../runtime/errors.ts';
import { anchor as anchorSchema } from '../../../schemas/config/anchors.ts';
import { startKafkaCluster, type KafkaCluster } from '../../support/kafka/cluster.ts';
import { anchorContract } from './contract.ts';
import { failure, openAnchor } from './open-anchor.ts';
import { ORIGIN, sampleLog } from './sample-log.ts';

const log = sampleLog();
const admin = { user: 'admin', password: 'admin-secret' };
const notary = { user: 'notary', password: 'notary-secret' };
let cluster: KafkaCluster;
let kafka: kafkajs.Kafka;
beforeAll(async () => {
  cluster = await startKafkaCluster({
    brokers: 1,
    security: {
      sasl: {
        mechanisms: ['SCRAM-SHA-512'],
        users: { [admin.user]: admin.password, [notary.user]: notary.password },
      },
    },
  });
  kafka = new kafkajs.Kafka({ brokers: cluster.internalBootstrap, logLevel: kafkajs.logLevel.NOTHING });
});
afterAll(() => cluster.stop());

const newTopic = () => `t-${randomUUID()}.checkpoints`;
const open = (topic: string, changes: object = {}, password = notary.password) =>
  openAnchor(
    {
      id: 'stream',
      type: 'kafka',
      brokers: cluster.bootstrap,
      topic,
      replication_factor: 1,
      request_timeout_ms: 3_000,
      sasl: { mechanism: 'scram-sha-512', username: notary.user, password: { env: 'PASSWORD' } },
      ...changes,
    },
    undefined,
    { PASSWORD: password },
  );
async function produce(topic: string, records: readonly { key: string; value: string }[]): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [...records] });
  await producer.disconnect();
}
async function withAdmin<T>(work: (on: kafkajs.Admin) => Promise<T>): Promise<T> {
  const on = kafka.admin();
  await on.connect();
  return work(on).finally(() => on.disconnect());
}

describe('a Kafka anchor', () => {
  anchorContract(() => {
    const topic = newTopic();
    return Promise.resolve({ evidence: 'place', remembers: true, open: () => open(topic) });
  });

  it('makes a topic of one partition that keeps everything, with one line of JSON under the origin', async () => {
    const topic = newTopic();
    const anchor = await open(topic);
    expect(await anchor.publish(log.at(5))).toEqual({
      type: 'place',
      place: `kafka topic ${topic}, partition 0, offset 0`,
    });
    await anchor.publish(log.at(5));
    const settings = await withAdmin((on) =>
      on.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
      }),
    );
    const value = (name: string) =>
      settings.resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue;
    expect([value('cleanup.policy'), value('retention.ms'), value('retention.bytes')]).toEqual([
      'delete',
      '-1',
      '-1',
    ]);
    const offsets = await withAdmin((on) => on.fetchTopicOffsets(topic));
    expect(offsets).toMatchObject([{ partition: 0, high: '1' }]);
    const seen = new Promise<{ key: string; value: string }>((resolve) => {
      const consumer = kafka.consumer({ groupId: randomUUID() });
      onTestFinished(() => consumer.disconnect());
      void consumer
        .connect()
        .then(() => consumer.subscribe({ topic, fromBeginning: true }))
        .then(() =>
          consumer.run({
            eachMessage: ({ message }) => {
              resolve({ key: String(message.key), value: String(message.value) });
              return Promise.resolve();
            },
          }),
        );
    });
    const { key, value: line } = await seen;
    expect(key).toBe(ORIGIN);
    expect(JSON.parse(line)).toMatchObject({ origin: ORIGIN, size: '5' });
  });

  it('finds the last checkpoint of its log behind many of others', async () => {
    const topic = newTopic();
    await (await open(topic)).publish(log.at(7));
    await produce(
      topic,
      Array.from({ length: 3_000 }, (_, index) => ({ key: `other-${index}/anchor`, value: '{}' })),
    );
    const anchor = await open(topic);
    expect((await anchor.latest!(ORIGIN))?.size).toBe(7n);
    expect(await failure(anchor.publish(log.at(6)))).toBeInstanceOf(IntegrityError);
  });

  it('sees what another has written meanwhile: a later checkpoint, another tree, something else', async () => {
    const topic = newTopic();
    const anchor = await open(topic);
    await anchor.publish(log.at(5));
    await (await open(topic)).publish(log.at(9));
    expect(await failure(anchor.publish(log.at(8)))).toBeInstanceOf(IntegrityError);

    const line = (size: number) => {
      const forged = sampleLog(log.key, 'other').at(size);
      const text = `${forged.note.text}\n\u2014 x AAAAAAAA\n`;
      const root = Buffer.from(forged.root).toString('hex');
      return JSON.stringify({ origin: ORIGIN, size: `${size}`, root, time_ms: 0, note: text });
    };
    const forged = newTopic();
    await (await open(forged)).publish(log.at(9));
    await produce(forged, [{ key: ORIGIN, value: line(9) }]);
    expect((await failure((await open(forged)).latest!(ORIGIN))).message).toContain('two trees of size 9');

    for (const value of ['', 'garbage', '{"a":1}', line(10).replace(ORIGIN, 'acme/else')]) {
      const other = newTopic();
      const victim = await open(other);
      await victim.publish(log.at(9));
      await produce(other, [{ key: ORIGIN, value }]);
      expect(await failure(victim.publish(log.at(10)))).toBeInstanceOf(IntegrityError);
      expect(await failure(victim.latest!(ORIGIN))).toBeInstanceOf(IntegrityError);
    }
  });

  it('refuses a topic that forgets, or has more partitions, and one that is missing when it may not make it', async () => {
    const wrong: [string, Partial<kafkajs.ITopicConfig>][] = [
      ['retention.ms', {}],
      ['cleanup.policy', { configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }],
      ['partitions', { numPartitions: 3 }],
    ];
    for (const [word, config] of wrong) {
      const topic = newTopic();
      await withAdmin((on) => on.createTopics({ topics: [{ topic, numPartitions: 1, ...config }] }));
      const error = await failure(open(topic));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(word);
    }
    const error = await failure(open(newTopic(), { create_topic: false }));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toContain('notary.anchors.stream.create_topic');
  });

  it('says what is wrong with the credentials, in the words of its own configuration', async () => {
    const error = await failure(open(newTopic(), {}, 'wrong'));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toContain('check notary.anchors.stream.sasl');
    expect(error.message).not.toContain('wrong-secret');
  });

  it('is opened while no broker runs, and works when one is back', async () => {
    const topic = newTopic();
    await (await open(topic)).publish(log.at(3));
    await cluster.kill(1, 'SIGKILL');
    const anchor = await open(topic, { request_timeout_ms: 1_000 });
    expect(await failure(anchor.publish(log.at(4)))).toBeInstanceOf(TransientError);
    await cluster.restart(1);
    expect((await anchor.publish(log.at(4)))?.type).toBe('place');
    expect((await anchor.latest!(ORIGIN))?.size).toBe(4n);
  });

  it('needs TLS beyond loopback', () => {
    const parse = (changes: object) =>
      anchorSchema.safeParse({
        id: 'k',
        type: 'kafka',
        brokers: ['127.0.0.1:1', 'kafka.example:9092'],
        ...changes,
      });
    expect(parse({}).error?.issues[0]).toMatchObject({ path: ['tls'] });
    expect(parse({ tls: {} }).success).toBe(true);
    expect(parse({ dangerously_without_tls: true }).success).toBe(true);
    expect(parse({ brokers: ['[::1]:9092', 'localhost:9092'] }).success).toBe(true);
  });
});
