import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { topicStatus } from '../../pipeline/status.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import type { Batch, Log, Topic } from '../../streams/topic.ts';
import { collect } from '../contract/topic.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { kafkaConfig } from './kafka-harness.ts';

let broker: FoundBroker;
let log: Log;
let topic: Topic;
let send: (
  id: string,
) => Promise<{ add(text: string): Promise<unknown>; end(commit: boolean): Promise<void> }>;
let ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  broker = await findBroker();
});
afterAll(() => broker.stop());

beforeEach(async () => {
  const config = kafkaConfig(broker.bootstrap);
  log = await openKafkaLog({ config, credentials: { password: undefined }, metrics: createMetrics() });
  topic = log.topic('custody.events');
  const kafka = new Kafka({ brokers: broker.bootstrap, logLevel: logLevel.NOTHING });
  ends = [];
  send = async (id) => {
    const producer = kafka.producer({ transactionalId: `${config.namespace}-${id}`, maxInFlightRequests: 1 });
    ends.push(() => producer.disconnect());
    await producer.connect();
    const transaction = await producer.transaction();
    return {
      add: (text) =>
        transaction.send({ topic: `${config.namespace}.events`, messages: [{ key: 'a', value: text }] }),
      end: (commit) => (commit ? transaction.commit() : transaction.abort()),
    };
  };
});
afterEach(async () => {
  await log.close();
  await Promise.all(ends.map((end) => end()));
});

const text = ({ value }: { readonly value: Uint8Array }) => Buffer.from(value).toString();
const append = (value: string) => topic.append([{ key: 'a', value: Buffer.from(value) }]);

async function readTexts(from = 0n): Promise<string[]> {
  const texts: string[] = [];
  for await (const each of topic.read(0, from)) texts.push(text(each));
  return texts;
}

describe('a Kafka topic with transactions', () => {
  it('never delivers a record that was rolled back, however the transactions overlap', async () => {
    const [a, b] = [await send('a'), await send('b')];
    await a.add('rolled back a1');
    await b.add('rolled back b1');
    await append('kept 1');
    await b.add('rolled back b2');
    await b.end(false);
    await a.add('rolled back a2');
    await a.end(false);
    const c = await send('a');
    await c.add('kept 2');
    await c.end(true);
    const { records } = await collect(topic, 2, { group: 'g' });
    expect(records.map(text)).toEqual(['kept 1', 'kept 2']);
    expect(await readTexts()).toEqual(['kept 1', 'kept 2']);
  });

  it('never delivers a rolled back record to who begins in the middle of two open transactions', async () => {
    const [a, b] = [await send('a'), await send('b')];
    await a.add('rolled back a1');
    await b.add('rolled back b1');
    const [place] = await append('kept 1');
    await b.add('rolled back b2');
    await a.add('rolled back a2');
    await a.end(false);
    await b.end(false);
    await append('kept 2');
    const { records } = await collect(topic, 2, {
      group: 'g',
      startOffset: () => Promise.resolve(place?.offset),
    });
    expect(records.map(text)).toEqual(['kept 1', 'kept 2']);
    expect(await readTexts(place?.offset)).toEqual(['kept 1', 'kept 2']);
  });

  it('delivers nothing behind an open transaction, and all of it once that ended', async () => {
    const a = await send('a');
    await append('before');
    await a.add('in it');
    await append('behind');
    const seen: string[] = [];
    const stop = new AbortController();
    const consumed = topic.consume({
      group: 'g',
      signal: stop.signal,
      handle: ({ records }) => Promise.resolve(void seen.push(...records.map(text))),
    });
    await vi.waitFor(() => expect(seen).toEqual(['before']), { timeout: 120_000 });
    await a.end(true);
    await vi.waitFor(() => expect(seen).toEqual(['before', 'in it', 'behind']), { timeout: 120_000 });
    stop.abort();
    await consumed;
  });

  it('moves on over offsets without records: an empty batch, the commit at the end, no lag', async () => {
    const metrics = createMetrics();
    await log.close();
    const config = kafkaConfig(broker.bootstrap);
    log = await openKafkaLog({ config, credentials: { password: undefined } });
    topic = log.topic('custody.events');
    const kafka = new Kafka({ brokers: broker.bootstrap, logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ transactionalId: `${config.namespace}-only` });
    ends.push(() => producer.disconnect());
    await producer.connect();
    for (let round = 0; round < 3; round += 1) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: `${config.namespace}.events`, messages: [{ key: 'a', value: 'x' }] });
      await transaction.abort();
    }
    const end = 6n;
    await vi.waitFor(async () => expect((await topic.bounds(0)).end).toBe(end), { timeout: 120_000 });
    const batches: Batch[] = [];
    const stop = new AbortController();
    const consumed = topic.consume({
      group: 'g',
      signal: stop.signal,
      handle: (batch) => Promise.resolve(void batches.push(batch)),
    });
    await vi.waitFor(async () => expect(await topic.committed('g', 0)).toBe(end), { timeout: 120_000 });
    expect(await topicStatus(log, { 'custody.events': ['g'] }, metrics)).toMatchObject([{ lag: { g: '0' } }]);
    const [lag] = (await metrics.lag.get()).values;
    expect(lag).toMatchObject({ labels: { group: 'g', topic: 'custody.events' }, value: 0 });
    stop.abort();
    await consumed;
    expect(batches.flatMap(({ records }) => records)).toEqual([]);
    expect(batches.at(-1)?.nextOffset).toBe(end);
  });
});
