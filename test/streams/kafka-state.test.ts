import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Claim, Log, StateStore } from '../../streams/topic.ts';
import { createReader, type KafkaReader } from '../../streams/kafka/reader.ts';
import { type KafkaCluster, startKafkaCluster } from '../support/kafka/cluster.ts';
import { kafkaConfig, startKafkaLog } from './kafka-harness.ts';

const MiB = 1024 * 1024;
const place = { area: 'ledger', topic: 'custody.events', partition: 0 } as const;
let cluster: KafkaCluster;
let admin: Admin;
beforeAll(async () => {
  cluster = await startKafkaCluster({
    brokers: 1,
    properties: { 'log.cleaner.backoff.ms': '100', 'log.retention.check.interval.ms': '500' },
  });
  admin = new kafkajs.Kafka({ brokers: cluster.bootstrap, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
  await cluster.stop();
});

async function open(): Promise<{ log: Log; claim: Claim; stateTopic: string }> {
  const config = kafkaConfig(cluster.bootstrap);
  const log = (await startKafkaLog(config)).log();
  return { log, claim: await log.claim(place), stateTopic: `${config.namespace}.ledger-state` };
}
const put = (name: string, value: string | Uint8Array) => ({ name, value: Buffer.from(value) });
async function list(state: Pick<StateStore, 'entries'>): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for await (const { name, value } of state.entries('')) found.set(name, value);
  return found;
}

describe('state on a compacted topic', () => {
  it('gives the last values after compaction took records, whole batches and removals away', async () => {
    const { log, claim, stateTopic } = await open();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: stateTopic,
          configEntries: Object.entries({
            'cleanup.policy': 'compact',
            'segment.ms': '300',
            'min.cleanable.dirty.ratio': '0.01',
            'delete.retention.ms': '0',
          }).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    const expected = new Map<string, string>([['kept', 'forever']]);
    await claim.state.write([put('kept', 'forever'), put('removed', 'x')]);
    await claim.state.write([{ name: 'removed', value: undefined }]);
    const reader = createReader(new kafkajs.Kafka({ brokers: cluster.bootstrap }), [stateTopic]);
    let compacted = false;
    for (let round = 0; round < 60 && !compacted; round += 1) {
      await claim.state.write([put(`name-${round % 3}`, String(round))]);
      expected.set(`name-${round % 3}`, String(round));
      await new Promise((resolve) => setTimeout(resolve, 200));
      compacted = round > 10 && (await countStored(reader, stateTopic)) < round;
    }
    await reader.close();
    expect(compacted).toBe(true);
    const texts = [...(await list(claim.state))].map(([name, value]) => [
      name,
      Buffer.from(value).toString(),
    ]);
    expect(new Map(texts as [string, string][])).toEqual(expected);
    await claim.release();
    await log.close();
  });

  it('holds 50,000 names and a value of 15 MB', async () => {
    const { log, claim } = await open();
    const names = Array.from({ length: 50_000 }, (_, index) => put(`name-${index}`, String(index)));
    await claim.state.write(names);
    await claim.state.write([put('large', new Uint8Array(15 * MiB).fill(7))]);
    const found = await list(claim.state);
    expect(found.size).toBe(50_001);
    expect(Buffer.from(found.get('name-49999') ?? []).toString()).toBe('49999');
    expect(found.get('large')?.length).toBe(15 * MiB);
    await claim.release();
    await log.close();
  });

  it('refuses a value that no request can hold and keeps the claim', async () => {
    const { log, claim } = await open();
    const write = claim.state.write([put('large', new Uint8Array(17 * MiB))]);
    await expect(write).rejects.toMatchObject({ code: 'input_too_large' });
    expect(await claim.isHeld()).toBe(true);
    await claim.release();
    await log.close();
  });

  it('never shows a part of a write that takes several requests', async () => {
    const { log, claim } = await open();
    const write = (round: number) =>
      claim.state.write(
        Array.from({ length: 12 }, (_, index) => put(`part-${index}`, new Uint8Array(MiB).fill(round))),
      );
    await write(1);
    const reader = log.states('ledger')[0] as Pick<StateStore, 'entries'>;
    let writing = true;
    const wrote = (async () => {
      for (let round = 2; round < 6; round += 1) await write(round);
      writing = false;
    })();
    while (writing) {
      const seen = [...(await list(reader)).values()].map((value) => value[0]);
      expect(seen).toHaveLength(12);
      expect(new Set(seen).size).toBe(1);
    }
    await wrote;
    await claim.release();
    await log.close();
  });
});

async function countStored(reader: KafkaReader, topic: string): Promise<number> {
  let count = 0;
  const end = await reader.offset(topic, 0, 'stable');
  for await (const records of reader.read(topic, 0, 0n, end)) count += records.length;
  return count;
}
