import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IntegrityError } from '../../runtime/errors.ts';
import type { Batch, Lease, Log, Topic } from '../../streams/topic.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { kafkaConfig, startKafkaLog } from './kafka-harness.ts';

const PARTITIONS = 3;
let broker: FoundBroker;
let log: Log;
let topic: Topic;
beforeAll(async () => {
  broker = await findBroker();
  log = (await startKafkaLog(kafkaConfig(broker.bootstrap, { partitions: PARTITIONS }))).log();
  topic = log.topic('custody.events');
});
afterAll(async () => {
  await log.close();
  await broker.stop();
});

const id = ({ partition, offset }: { readonly partition: number; readonly offset: bigint }) =>
  `${partition}/${offset}`;
const spread = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    key: `tenant-${index % 30}`,
    value: Buffer.from(`${index}`),
  }));

/** Sees every handler of every member of a group. */
function watchGroup() {
  const handled = new Set<string>();
  const live = new Map<number, Set<Lease>>();
  const problems: string[] = [];
  return {
    handled,
    problems,
    async handle(batch: Batch, lease: Lease, work: () => Promise<unknown>) {
      const here = live.get(batch.partition) ?? new Set<Lease>();
      live.set(batch.partition, here);
      here.add(lease);
      const unaware = [...here].filter(({ signal }) => !signal.aborted);
      if (unaware.length > 1) problems.push(`two live handlers of partition ${batch.partition}`);
      let last = -1n;
      for (const { offset } of batch.records) {
        if (offset <= last) problems.push('out of order');
        last = offset;
      }
      try {
        await work();
        for (const record of batch.records) handled.add(id(record));
      } finally {
        here.delete(lease);
      }
    },
  };
}

function startMember(group: string, handle: (batch: Batch, lease: Lease) => Promise<void>) {
  const stop = new AbortController();
  const ended = topic.consume({ group, handle, signal: stop.signal, maxBatchRecords: 20 });
  ended.catch(() => undefined);
  return {
    ended,
    stop() {
      stop.abort();
      return ended;
    },
  };
}

async function endOf(partition: number): Promise<bigint> {
  return (await topic.bounds(partition)).end;
}

describe('a Kafka group whose members come and go', () => {
  it('handles every record, never twice at a time, in order, and commits only forward', async () => {
    const group = randomUUID();
    const watched = watchGroup();
    const { handled, problems } = watched;
    const member = () =>
      startMember(group, (batch, lease) =>
        watched.handle(batch, lease, () => pause(5 + (batch.records.length % 7))),
      );
    const sent = new Set<string>();
    let over = false;
    const producing = (async () => {
      while (!over) {
        for (const place of await topic.append(spread(200))) sent.add(id(place));
        await pause(20);
      }
    })();
    const highest = new Map<number, bigint>();
    const watching = (async () => {
      while (!over) {
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          const now = (await topic.committed(group, partition)) ?? 0n;
          if (now < (highest.get(partition) ?? 0n)) problems.push('the commit went back');
          highest.set(partition, now);
        }
        await pause(20);
      }
    })();
    const members = [member()];
    for (let round = 0; round < 16; round += 1) {
      await pause(400);
      if (round % 3 === 2) await members.shift()?.stop();
      else members.push(member());
    }
    over = true;
    await Promise.all([producing, watching]);
    await Promise.all(members.splice(1).map((each) => each.stop()));
    await expect.poll(() => [...sent].filter((place) => !handled.has(place)).length).toBe(0);
    await members[0]?.stop();
    expect(problems).toEqual([]);
  });

  it('keeps the membership of a handler that runs longer than the session timeout', async () => {
    const group = randomUUID();
    await topic.append(spread(1));
    let runs = 0;
    let confirmed = false;
    const member = startMember(group, async (_, lease) => {
      runs += 1;
      if (runs > 1) return;
      await pause(8_000);
      expect(lease.signal.aborted).toBe(false);
      await lease.confirm();
      confirmed = true;
    });
    await expect.poll(() => confirmed).toBe(true);
    await member.stop();
  });

  it('tells a handler that blocks, waits for it no longer than a session, and lets the others go on', async () => {
    const group = randomUUID();
    await topic.append(spread(60));
    let toldAfterMs = -1;
    const blockedSince = Date.now();
    let block: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => (block = resolve));
    let confirmation: unknown;
    let entered = false;
    const stubborn = startMember(group, async (batch, lease) => {
      if (batch.partition !== 0 || entered) return;
      entered = true;
      lease.signal.addEventListener('abort', () => (toldAfterMs = Date.now() - blockedSince));
      await blocked;
      confirmation = await lease.confirm().catch((error: unknown) => error);
    });
    await expect.poll(() => entered).toBe(true);
    const seen = new Set<number>();
    const other = startMember(group, (batch) => Promise.resolve(void seen.add(batch.partition)));
    await expect.poll(() => toldAfterMs).toBeGreaterThan(0);
    await expect
      .poll(
        async () => {
          await topic.append(spread(60));
          return seen.size;
        },
        { interval: 300 },
      )
      .toBeGreaterThan(0);
    expect(seen.size).toBeLessThan(PARTITIONS);
    block();
    await expect.poll(() => confirmation).toMatchObject({ name: 'MovedError' });
    await Promise.all([stubborn.stop(), other.stop()]);
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      expect((await topic.committed(group, partition)) ?? 0n).toBeLessThanOrEqual(await endOf(partition));
  });

  it('ends at once when it is aborted while it joins, also while the group waits for another member', async () => {
    const group = randomUUID();
    await topic.append(spread(60));
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let inside = 0;
    const holder = startMember(group, async () => {
      inside += 1;
      await released;
    });
    await expect.poll(() => inside).toBeGreaterThan(0);
    const joiner = startMember(group, () => Promise.resolve());
    await pause(300);
    const sinceMs = Date.now();
    await joiner.stop();
    expect(Date.now() - sinceMs).toBeLessThan(3_000);
    release();
    await holder.stop();
  });

  it('leaves a refused partition alone when the group rebalances and the partition comes back', async () => {
    const group = randomUUID();
    await topic.append(spread(60));
    const asked: number[] = [];
    const refused: number[] = [];
    const handled = new Set<number>();
    const stop = new AbortController();
    const ended = topic.consume({
      group,
      signal: stop.signal,
      startOffset: async (partition) => {
        asked.push(partition);
        if (partition === 0 && refused.length === 0)
          throw new IntegrityError('cannot go on: the log is shorter');
        return (await topic.bounds(partition)).start;
      },
      refused: (partition) => refused.push(partition),
      handle: ({ partition }) => Promise.resolve(void handled.add(partition)),
    });
    const others = Array.from({ length: PARTITIONS - 1 }, (_, index) => index + 1);
    await expect.poll(() => [...handled].sort()).toEqual(others);
    const visitor = startMember(group, () => Promise.resolve());
    await expect.poll(() => asked.length).toBeGreaterThan(PARTITIONS);
    await visitor.stop();
    const before = asked.length;
    await expect.poll(() => asked.length).toBeGreaterThanOrEqual(before + others.length);
    stop.abort();
    await ended;
    expect(refused).toEqual([0]);
    expect(asked.filter((partition) => partition === 0)).toHaveLength(1);
    expect(handled.has(0)).toBe(false);
  });

  it('serves several calls of one process, each call a member of its group', async () => {
    const group = randomUUID();
    const seen = [new Set<number>(), new Set<number>()];
    const members = seen.map((partitions) =>
      startMember(group, ({ partition }) => Promise.resolve(void partitions.add(partition))),
    );
    await expect
      .poll(
        async () => {
          await topic.append(spread(60));
          return (
            new Set(seen.flatMap((each) => [...each])).size === PARTITIONS &&
            seen.every(({ size }) => size > 0)
          );
        },
        { interval: 300 },
      )
      .toBe(true);
    await Promise.all(members.map((each) => each.stop()));
  });
});
