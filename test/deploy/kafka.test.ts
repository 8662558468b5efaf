import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePorts } from '../support/free-ports.ts';
import { kafkaJars } from '../support/kafka/jars.ts';
import { pathOf } from './tools.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 400_000;

/** deploy/compose/kafka/start.sh as it is in the containers, with Kafka's own classes in place of the image's scripts. */
describe('the brokers of docker-compose.yml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custody-compose-kafka-'));
  const secrets = join(folder, 'secrets');
  const ids = [1, 2, 3];
  let ports: readonly number[];
  const brokers = new Map<number, ChildProcess>();

  const port = (id: number, listener: number) => ports[(id - 1) * 3 + listener]!;
  const secret = (name: string) => readFileSync(join(secrets, name), 'utf8');
  function client(password: string): Kafka {
    return new kafkajs.Kafka({
      brokers: ids.map((id) => `127.0.0.1:${port(id, 0)}`),
      ssl: { ca: secret('ca.crt') },
      sasl: { mechanism: 'scram-sha-512', username: 'custody', password },
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 30, maxRetryTime: 2_000 },
    });
  }
  async function withAdmin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = client(secret('kafka-custody-password')).admin();
    await vi.waitFor(() => admin.connect(), 120_000);
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
  function start(id: number): void {
    const data = join(folder, `data-${id}`);
    mkdirSync(data, { recursive: true });
    const log = openSync(join(folder, `broker-${id}.log`), 'a');
    const voters = ids.map((voter) => `${voter}@127.0.0.1:${port(voter, 1)}`).join(',');
    const broker = spawn('bash', [pathOf('deploy/compose/kafka/start.sh')], {
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        NODE_ID: String(id),
        VOTERS: voters,
        BROKER_HOST: '127.0.0.1',
        CLIENT_PORT: String(port(id, 0)),
        CONTROLLER_PORT: String(port(id, 1)),
        BROKER_PORT: String(port(id, 2)),
        SECRETS_DIR: secrets,
        KAFKA_BIN: folder,
        DATA_DIR: data,
        WORK_DIR: data.replace('data-', 'work-'),
      },
    });
    closeSync(log);
    brokers.set(id, broker);
  }
  async function stop(id: number): Promise<void> {
    const broker = brokers.get(id)!;
    brokers.delete(id);
    if (broker.exitCode !== null || broker.signalCode !== null) return;
    const ended = once(broker, 'exit');
    broker.kill('SIGKILL');
    await ended;
  }

  beforeAll(async () => {
    await run('sh', [pathOf('deploy/compose/make-secrets.sh'), secrets]);
    const { command } = await kafkaJars();
    const java = command.map((part) => `'${part}'`).join(' ');
    const scripts = { 'kafka-storage.sh': 'kafka.tools.StorageTool', 'kafka-server-start.sh': 'kafka.Kafka' };
    for (const [name, main] of Object.entries(scripts)) {
      writeFileSync(join(folder, name), `#!/bin/sh\nexec ${java} ${main} "$@"\n`, { mode: 0o755 });
    }
    ports = await freePorts(ids.length * 3);
    for (const id of ids) {
      mkdirSync(join(folder, `work-${id}`));
      start(id);
    }
    await withAdmin(async (admin) => {
      const joined = async () => (await admin.describeCluster()).brokers.length === ids.length;
      await vi.waitUntil(joined, { timeout: START_TIMEOUT_MS / 2, interval: 250 });
      await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic: 'custody.events', numPartitions: 3, replicationFactor: 3 }],
      });
    });
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await Promise.all([...brokers.keys()].map(stop));
    rmSync(folder, { recursive: true, force: true });
  });

  test('form one cluster, over TLS, for who knows the password', async () => {
    const cluster = await withAdmin((admin) => admin.describeCluster());
    expect(cluster.brokers.map(({ nodeId }) => nodeId).sort()).toEqual(ids);
    expect(cluster.clusterId).toBe(secret('kafka-cluster-id'));
  });

  test('refuse who does not', async () => {
    const stranger = client('wrong').admin();
    await expect(stranger.connect()).rejects.toThrow('authentication failed');
    await stranger.disconnect();
  });

  test('need two copies of a record, and go on when one of them is gone and when it is back', async () => {
    const settings = await withAdmin((admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: 'custody.events' }],
      }),
    );
    const minimum = settings.resources[0]!.configEntries.find(
      ({ configName }) => configName === 'min.insync.replicas',
    );
    expect(minimum?.configValue).toBe('2');

    await stop(2);
    const producer = client(secret('kafka-custody-password')).producer();
    const messages = ids.map((id) => ({ key: String(id), value: 'x', partition: id - 1 }));
    // Until the cluster has moved what the dead broker led, a send to it fails.
    const send = () =>
      vi.waitFor(() => producer.send({ topic: 'custody.events', acks: -1, messages }), 120_000);
    await vi.waitFor(() => producer.connect(), 120_000);
    await send();
    start(2);
    await send();
    await producer.disconnect();
    const offsets = await withAdmin((admin) => admin.fetchTopicOffsets('custody.events'));
    for (const { offset } of offsets) expect(Number(offset)).toBeGreaterThanOrEqual(2);
  });
});
