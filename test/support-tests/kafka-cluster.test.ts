import { setTimeout as pause } from 'node:timers/promises';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
  type Admin,
  type KafkaConfig,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createAuthority, type CertificateAuthority } from '../support/certificates.ts';
import { startKafkaCluster, type KafkaCluster } from '../support/kafka/cluster.ts';
import { findBroker } from '../support/kafka/find-broker.ts';
import { startTcpProxy, type TcpProxy } from '../support/kafka/tcp-proxy.ts';

const connectTo = (brokers: string[], config: Partial<KafkaConfig> = {}): Kafka =>
  new Kafka({ brokers, logLevel: logLevel.NOTHING, ...config });

/** An admin client until the test ends. */
async function connectAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin();
  onTestFinished(() => admin.disconnect());
  await admin.connect();
  return admin;
}

/** Reads a topic from its beginning until `count` values are there; only those of committed transactions. */
async function readValues(kafka: Kafka, topic: string, count: number): Promise<readonly string[]> {
  const consumer = kafka.consumer({
    groupId: `${topic}-readers`,
    readUncommitted: false,
    maxWaitTimeInMs: 200,
  });
  onTestFinished(() => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(String(message.value));
      return Promise.resolve();
    },
  });
  await expect.poll(() => values.length).toBeGreaterThanOrEqual(count);
  return values;
}

async function createTopic(kafka: Kafka, topic: string, replicationFactor = 1): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        numPartitions: 1,
        replicationFactor,
        configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
      },
    ],
  });
  await admin.disconnect();
}

describe('one broker behind a proxy', () => {
  let cluster: KafkaCluster;
  let proxy: TcpProxy;
  let kafka: Kafka;
  beforeAll(async () => {
    cluster = await startKafkaCluster({
      brokers: 1,
      advertised: async (_, listening) => (proxy = await startTcpProxy(listening)),
    });
    kafka = connectTo(cluster.bootstrap);
  });
  afterAll(async () => {
    await proxy.close();
    await cluster.stop();
  });

  test('the broker stamps what an idempotent producer appends', async () => {
    await createTopic(kafka, 'appended');
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    onTestFinished(() => producer.disconnect());
    await producer.connect();
    const beforeMs = Date.now();
    const [written] = await producer.send({
      topic: 'appended',
      acks: -1,
      messages: [{ value: 'first', timestamp: '1' }],
    });
    expect(written).toMatchObject({ errorCode: 0, baseOffset: '0' });
    expect(Number(written?.logAppendTime)).toBeGreaterThanOrEqual(beforeMs);
    expect(await readValues(kafka, 'appended', 1)).toEqual(['first']);
  });

  test('a reader sees a committed transaction and nothing of an aborted one', async () => {
    await createTopic(kafka, 'transactions');
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 'writer' });
    onTestFinished(() => producer.disconnect());
    await producer.connect();
    const aborted = await producer.transaction();
    await aborted.send({ topic: 'transactions', messages: [{ value: 'aborted' }] });
    await aborted.abort();
    const committed = await producer.transaction();
    await committed.send({ topic: 'transactions', messages: [{ value: 'committed' }] });
    await committed.commit();
    expect(await readValues(kafka, 'transactions', 1)).toEqual(['committed']);
  });

  test('a client fails while the network is cut or stalled, and works when it is healed', async () => {
    const impatient = connectTo(cluster.bootstrap, {
      connectionTimeout: 1000,
      requestTimeout: 1000,
      enforceRequestTimeout: true,
      retry: { retries: 0 },
    });
    for (const fail of ['cut', 'stall'] as const) {
      // A client of its own each time: kafkajs lets the late end of an old socket close the one after it.
      const admin = await connectAdmin(impatient);
      expect(await admin.listTopics()).toContain('appended');
      proxy[fail]();
      await expect(admin.listTopics()).rejects.toThrow();
      await expect(connectAdmin(impatient)).rejects.toThrow();
      proxy.heal();
    }
    expect(await (await connectAdmin(impatient)).listTopics()).toContain('appended');
  });

  test('a delay is added to both directions', async () => {
    const admin = await connectAdmin(kafka);
    await admin.listTopics();
    proxy.delayMs = 50;
    const startMs = performance.now();
    await admin.listTopics();
    expect(performance.now() - startMs).toBeGreaterThan(95);
    proxy.delayMs = 0;
  });

  test('a broker paused with SIGSTOP goes on after SIGCONT', async () => {
    const admin = await connectAdmin(kafka);
    await cluster.kill(1, 'SIGSTOP');
    const answer = admin.listTopics();
    expect(await Promise.race([answer, pause(500, 'silent')])).toBe('silent');
    await cluster.kill(1, 'SIGCONT');
    expect(await answer).toContain('appended');
  });
});

test('three brokers accept records of acks=all while one is dead and when it is back', async () => {
  const cluster = await startKafkaCluster({ brokers: 3 });
  onTestFinished(() => cluster.stop());
  // By default kafkajs gives up after about nine seconds, with metadata half as old: a new leader may take longer.
  const kafka = connectTo(cluster.bootstrap, { retry: { retries: 60, maxRetryTime: 1000 } });
  await createTopic(kafka, 'survivor', 3);
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  onTestFinished(() => producer.disconnect());
  await producer.connect();
  const send = (value: string) => producer.send({ topic: 'survivor', acks: -1, messages: [{ value }] });

  await send('three brokers');
  const admin = await connectAdmin(kafka);
  const metadata = await admin.fetchTopicMetadata({ topics: ['survivor'] });
  const leader = metadata.topics[0]?.partitions[0]?.leader ?? 0;
  const { pid } = cluster.brokers.find(({ id }) => id === leader)!;
  await cluster.kill(leader, 'SIGKILL');
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  await send('two brokers');
  await cluster.restart(leader);
  await send('three again');
  expect(await readValues(kafka, 'survivor', 3)).toEqual(['three brokers', 'two brokers', 'three again']);
});

describe('a broker with TLS, SASL and ACLs', () => {
  let authority: CertificateAuthority;
  let cluster: KafkaCluster;
  beforeAll(async () => {
    authority = createAuthority();
    cluster = await startKafkaCluster({
      brokers: 1,
      security: {
        tls: { caFile: authority.caFile, ...authority.issue('broker', ['IP:127.0.0.1']) },
        sasl: { mechanisms: ['SCRAM-SHA-512', 'PLAIN'], users: { admin: 'admin-secret', ann: 'ann-secret' } },
        acls: { superUsers: ['admin'] },
      },
    });
    await createTopic(connectTo(cluster.internalBootstrap), 'guarded');
  });
  afterAll(async () => {
    await cluster.stop();
    authority.remove();
  });

  const signIn = (username: string, password: string, mechanism: 'scram-sha-512' | 'plain') =>
    connectTo(cluster.bootstrap, {
      ssl: { ca: [authority.ca] },
      sasl: mechanism === 'plain' ? { mechanism, username, password } : { mechanism, username, password },
      retry: { retries: 0 },
    });

  test.each(['scram-sha-512', 'plain'] as const)('%s lets only the right password in', async (mechanism) => {
    const right = await connectAdmin(signIn('admin', 'admin-secret', mechanism));
    expect(await right.listTopics()).toContain('guarded');
    const wrong = signIn('admin', 'wrong', mechanism).admin();
    onTestFinished(() => wrong.disconnect());
    await expect(wrong.connect()).rejects.toMatchObject({ name: 'KafkaJSSASLAuthenticationError' });
  });

  test('a client that trusts another authority does not connect', async () => {
    const admin = connectTo(cluster.bootstrap, { ssl: true, retry: { retries: 0 } }).admin();
    onTestFinished(() => admin.disconnect());
    await expect(admin.connect()).rejects.toThrow();
  });

  test('a user without a permission gets an authorization error, with it the record is appended', async () => {
    const producer = signIn('ann', 'ann-secret', 'scram-sha-512').producer();
    onTestFinished(() => producer.disconnect());
    await producer.connect();
    const send = () => producer.send({ topic: 'guarded', messages: [{ value: 'mine' }] });
    await expect(send()).rejects.toMatchObject({ cause: { type: 'TOPIC_AUTHORIZATION_FAILED' } });

    const admin = await connectAdmin(connectTo(cluster.internalBootstrap));
    await admin.createAcls({
      acl: [
        {
          resourceType: AclResourceTypes.TOPIC,
          resourceName: 'guarded',
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: 'User:ann',
          host: '*',
          operation: AclOperationTypes.WRITE,
          permissionType: AclPermissionTypes.ALLOW,
        },
      ],
    });
    await expect.poll(() => send().then(([written]) => written?.errorCode)).toBe(0);
  });
});

test('the broker that is found says what it is and answers', async ({ annotate }) => {
  const broker = await findBroker();
  onTestFinished(() => broker.stop());
  await annotate(broker.description);
  const admin = await connectAdmin(connectTo(broker.bootstrap));
  expect((await admin.describeCluster()).brokers).not.toHaveLength(0);
});
