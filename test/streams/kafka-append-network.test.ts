import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError, TransientError } from '../../runtime/errors.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import type { Log, Topic } from '../../streams/topic.ts';
import { startKafkaCluster, type KafkaCluster } from '../support/kafka/cluster.ts';
import type { Endpoint } from '../support/kafka/server-properties.ts';
import { kafkaConfig } from './kafka-harness.ts';

const MiB = 1024 * 1024;

/** A way to the broker that can lose its answers: the request arrives, the connection breaks instead of the answer. */
async function startLossyWay(target: Endpoint) {
  let mode: 'open' | 'lose-answers' | 'cut' | 'silent' = 'open';
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (mode === 'cut') return void client.resetAndDestroy();
    const upstream = connect({ ...target, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      if (mode === 'silent') held.push(() => upstream.write(bytes));
      else upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (mode === 'lose-answers') {
        mode = 'cut';
        for (const socket of sockets) socket.resetAndDestroy();
      } else client.write(bytes);
    });
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    /** Breaks every connection at the next answer and refuses new ones until `heal`. */
    loseAnswers: () => void (mode = 'lose-answers'),
    silence: () => void (mode = 'silent'),
    wasCut: () => mode === 'cut',
    heal() {
      mode = 'open';
      for (const pass of held.splice(0)) pass();
    },
    close: () => void server.close(),
  };
}

const record = (text: string, key = 'a') => ({ key, value: Buffer.from(text) });
async function readTexts(topic: Topic): Promise<string[]> {
  const texts: string[] = [];
  for await (const { value } of topic.read(0, 0n)) texts.push(Buffer.from(value).toString());
  return texts;
}

describe('appending to Kafka over a network that breaks', () => {
  let way: Awaited<ReturnType<typeof startLossyWay>>;
  let cluster: KafkaCluster;
  let log: Log;
  let direct: Log;
  let topic: Topic;
  beforeAll(async () => {
    cluster = await startKafkaCluster({
      brokers: 1,
      advertised: async (_, listening) => (way = await startLossyWay(listening)),
    });
  });
  afterAll(async () => {
    await cluster.stop();
    way.close();
  });
  beforeEach(async () => {
    const config = kafkaConfig(cluster.bootstrap, { request_timeout_ms: 1_000, unwritten_max_bytes: MiB });
    const credentials = { password: undefined };
    log = await openKafkaLog({ config, credentials });
    direct = await openKafkaLog({ config: { ...config, brokers: cluster.internalBootstrap }, credentials });
    topic = log.topic('custody.events');
    await topic.append([record('first')]);
  });
  afterEach(async () => {
    way.heal();
    await Promise.all([log.close(), direct.close()]);
  });
  const stored = () => readTexts(direct.topic('custody.events'));

  it('stores a batch once whose answer was lost, and tells the place it was given first', async () => {
    way.loseAnswers();
    const appending = topic.append([record('answer lost')]);
    await expect.poll(() => way.wasCut()).toBe(true);
    way.heal();
    const [place] = await appending;
    expect(place?.offset).toBe(1n);
    expect(await stored()).toEqual(['first', 'answer lost']);
  });

  it('never acknowledges a batch in the place of an earlier one whose answer never came', async () => {
    way.loseAnswers();
    const failed = topic.append([record('written, never acknowledged')]);
    await expect(failed).rejects.toMatchObject({ name: 'TransientError', code: 'unavailable' });
    way.heal();
    const [place] = await topic.append([record('another')]);
    expect(await stored()).toEqual(['first', 'written, never acknowledged', 'another']);
    expect(place?.offset).toBe(2n);
  });

  it('rejects in bounded time while the broker is silent, also what waits behind, and recovers', async () => {
    way.silence();
    const sinceMs = performance.now();
    const waiting = Array.from({ length: 8 }, (_, index) => topic.append([record(`lost ${index}`)]));
    await Promise.resolve();
    const behind = topic.append([record('behind')]);
    const outcomes = await Promise.allSettled([...waiting, behind]);
    expect(performance.now() - sinceMs).toBeLessThan(15_000);
    for (const outcome of outcomes) {
      expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(TransientError);
    }
    way.heal();
    const [place] = await topic.append([record('after')]);
    const texts = await stored();
    expect(texts[Number(place?.offset)]).toBe('after');
    for (const text of new Set(texts)) expect(texts.filter((each) => each === text)).toHaveLength(1);
  });

  it('says overloaded beyond its bound, takes nothing of that call, and takes more once it has written', async () => {
    const large = () => [{ key: 'a', value: new Uint8Array(MiB) }];
    const first = topic.append(large());
    await expect(topic.append([record('too much')])).rejects.toMatchObject({ code: 'overloaded' });
    await first;
    await topic.append([record('again')]);
    expect((await stored()).map((text) => (text.length > 100 ? 'large' : text))).toEqual([
      'first',
      'large',
      'again',
    ]);
  });

  it('holds no more unwritten bytes than its bound and one call while nobody answers', async () => {
    way.silence();
    const outcomes = Array.from({ length: 200 }, () =>
      topic.append([{ key: 'a', value: new Uint8Array(64 * 1024) }]).catch((error: unknown) => error),
    );
    const rejected = await Promise.race([
      Promise.all(outcomes.slice(17)),
      new Promise((resolve) => setTimeout(resolve, 2_000)),
    ]);
    expect(rejected).toHaveLength(200 - 17);
    for (const error of rejected as unknown[]) expect(error).toMatchObject({ code: 'overloaded' });
    way.heal();
    await Promise.all(outcomes);
  });

  it('refuses a record that no request can hold, and only that call', async () => {
    const tooLarge = topic.append([record('small'), { key: 'a', value: new Uint8Array(17 * MiB) }]);
    await expect(tooLarge).rejects.toBeInstanceOf(InputError);
    await expect(tooLarge).rejects.toMatchObject({ code: 'input_too_large' });
    const [place] = await topic.append([{ key: 'a', value: new Uint8Array(15 * MiB) }]);
    expect(place?.offset).toBe(1n);
  });
});

describe('appending compressed', () => {
  it('stores what gzip made small and reads the exact bytes again', async () => {
    const cluster = await startKafkaCluster({ brokers: 1 });
    const config = kafkaConfig(cluster.bootstrap, { compression: 'gzip', partitions: 3 });
    const log = await openKafkaLog({ config, credentials: { password: undefined } });
    try {
      const topic = log.topic('custody.events');
      const values = Array.from({ length: 300 }, (_, index) => `${'x'.repeat(5_000)}${index}`);
      const places = await topic.append(values.map((text, index) => record(text, `tenant-${index % 7}`)));
      for (const [index, { partition, offset, appendTimeMs }] of places.entries()) {
        for await (const read of topic.read(partition, offset, offset + 1n)) {
          expect(Buffer.from(read.value).toString()).toBe(values[index]);
          expect(read.appendTimeMs).toBe(appendTimeMs);
        }
      }
    } finally {
      await log.close();
      await cluster.stop();
    }
  });
});
