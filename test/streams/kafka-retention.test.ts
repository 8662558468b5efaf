import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IntegrityError } from '../../runtime/errors.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import { collect } from '../contract/topic.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { kafkaConfig } from './kafka-harness.ts';

let broker: FoundBroker;
let admin: Admin;
beforeAll(async () => {
  broker = await findBroker();
  admin = new kafkajs.Kafka({ brokers: broker.bootstrap, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
  await broker.stop();
});

async function openWithRecords(count: number) {
  const config = kafkaConfig(broker.bootstrap);
  const metrics = createMetrics();
  const log = await openKafkaLog({ config, credentials: { password: undefined }, metrics });
  const topic = log.topic('custody.events');
  await topic.append(
    Array.from({ length: count }, (_, index) => ({ key: 'a', value: Buffer.from(String(index)) })),
  );
  const removeBefore = async (offset: number) => {
    const name = `${config.namespace}.events`;
    // Makes the client look for the topic.
    await admin.fetchTopicOffsets(name);
    await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: String(offset) }] });
  };
  const missed = async () => (await metrics.dropped.get()).values.at(0)?.value;
  return { log, topic, removeBefore, missed };
}
const text = ({ value }: { readonly value: Uint8Array }) => Buffer.from(value).toString();
const never = () => Promise.reject(new Error('handled'));

describe('a Kafka group behind the oldest kept record', () => {
  it('goes on with the oldest kept one and counts what it missed', async () => {
    const { log, topic, removeBefore, missed } = await openWithRecords(20);
    await collect(topic, 5, { group: 'g', maxBatchRecords: 5 });
    await removeBefore(12);
    const { records } = await collect(topic, 8, { group: 'g' });
    expect(records.map(text)).toEqual(['12', '13', '14', '15', '16', '17', '18', '19']);
    expect(await missed()).toBe(7);
    await log.close();
  });

  it('does so also when retention overtakes it while it handles, and never commits a lower offset', async () => {
    const { log, topic, removeBefore, missed } = await openWithRecords(5);
    const seen: string[] = [];
    const stop = new AbortController();
    await topic.consume({
      group: 'g',
      signal: stop.signal,
      async handle({ records }) {
        seen.push(...records.map(text));
        if (seen.length === 5) {
          await new Promise((resolve) => setTimeout(resolve, 600));
          await topic.append(Array.from({ length: 5 }, () => ({ key: 'a', value: Buffer.from('new') })));
        }
        if (seen.length === 10) stop.abort();
      },
    });
    expect(seen).toHaveLength(10);
    expect(await topic.committed('g', 0)).toBe(10n);
    await removeBefore(10);
    await topic.append([{ key: 'a', value: Buffer.from('last') }]);
    expect((await collect(topic, 1, { group: 'g' })).records.map(text)).toEqual(['last']);
    expect(await missed()).toBeUndefined();
    await log.close();
  });

  it.each([2n, 21n])(
    'stops with an alarm where a stage of its own position asks for offset %s',
    async (from) => {
      const { log, topic, removeBefore } = await openWithRecords(20);
      await removeBefore(12);
      const consumed = topic.consume({
        group: 'g',
        signal: new AbortController().signal,
        startOffset: () => Promise.resolve(from),
        handle: never,
      });
      await expect(consumed).rejects.toBeInstanceOf(IntegrityError);
      await log.close();
    },
  );

  it('ends with the error of startOffset', async () => {
    const { log, topic } = await openWithRecords(1);
    const failure = new Error('no position');
    const consumed = topic.consume({
      group: 'g',
      signal: new AbortController().signal,
      startOffset: () => Promise.reject(failure),
      handle: never,
    });
    await expect(consumed).rejects.toBe(failure);
    await log.close();
  });
});
