import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { IntegrityError } from '../../runtime/errors.ts';
import {
  type Batch,
  type ConsumedRecord,
  type ConsumeOptions,
  DeferredError,
  type Topic,
  type TopicRecord,
} from '../../streams/topic.ts';

/** One fresh, empty topic and a way to end and start everything around it. */
export interface TopicHarness {
  topic(): Topic;
  /** Shuts the topic's owner down cleanly and starts it again on the same data. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export type OpenTopic = (partitions: number) => Promise<TopicHarness>;

const bytes = (text: string) => new TextEncoder().encode(text);
const record = (key: string, text: string): TopicRecord => ({ key, value: bytes(text) });
const numbered = (key: string, from: number, count: number) =>
  Array.from({ length: count }, (_, index) => record(key, String(from + index)));
const text = (consumed: { readonly value: Uint8Array }) => new TextDecoder().decode(consumed.value);
const placeOf = ({ partition, offset, appendTimeMs }: ConsumedRecord) => ({
  partition,
  offset,
  appendTimeMs,
});

/** Consumes until `count` records were handled. */
export async function collect(
  topic: Topic,
  count: number,
  options: { readonly group: string } & Partial<ConsumeOptions>,
): Promise<{ readonly records: ConsumedRecord[]; readonly batches: Batch[] }> {
  const records: ConsumedRecord[] = [];
  const batches: Batch[] = [];
  const stop = new AbortController();
  await topic.consume({
    signal: stop.signal,
    handle: (batch) => {
      batches.push(batch);
      records.push(...batch.records);
      if (records.length >= count) stop.abort();
      return Promise.resolve();
    },
    ...options,
  });
  return { records, batches };
}

async function readAll(
  topic: Topic,
  partition: number,
  from: bigint,
  to?: bigint,
): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = [];
  for await (const consumed of topic.read(partition, from, to)) records.push(consumed);
  return records;
}

/**
 * What every Topic must do. Offsets may have gaps and an appended record may become visible to readers a little
 * later, so the cases wait by consuming and never count on the next offset.
 */
export function topicContract(name: string, open: OpenTopic): void {
  describe(`${name} keeps the topic contract`, () => {
    let harness: TopicHarness | undefined;
    const start = async (partitions = 1) => {
      harness = await open(partitions);
      return harness.topic();
    };
    afterEach(async () => {
      await harness?.close();
      harness = undefined;
    });

    it('gives places in input order with rising offsets and append times that never fall', async () => {
      const topic = await start();
      const first = await topic.append(numbered('a', 0, 5));
      const second = await topic.append(numbered('a', 5, 5));
      const places = [...first, ...second];
      expect(places).toHaveLength(10);
      for (const [index, place] of places.entries()) {
        expect(place.partition).toBe(0);
        expect(place.appendTimeMs).toBeGreaterThan(0);
        if (index === 0) continue;
        expect(place.offset).toBeGreaterThan(places[index - 1]!.offset);
        expect(place.appendTimeMs).toBeGreaterThanOrEqual(places[index - 1]!.appendTimeMs);
      }
    });

    it('delivers the exact key and bytes at the place append returned', async () => {
      const topic = await start();
      const sent: TopicRecord[] = [
        { key: 'tenant-é-漢', value: Uint8Array.from({ length: 256 }, (_, index) => index) },
        { key: 'b', value: new Uint8Array(0) },
        { key: 'c', value: new Uint8Array(900_000).fill(0xab) },
      ];
      const places = await topic.append(sent);
      const { records } = await collect(topic, 3, { group: 'g' });
      expect(records.map(placeOf)).toEqual(places);
      expect(records.map(({ key }) => key)).toEqual(sent.map(({ key }) => key));
      for (const [index, consumed] of records.entries()) {
        expect(Buffer.compare(consumed.value, sent[index]!.value)).toBe(0);
      }
    });

    it('accepts an append of nothing', async () => {
      const topic = await start();
      expect(await topic.append([])).toEqual([]);
    });

    it('does not depend on the caller keeping its buffer', async () => {
      const topic = await start();
      const value = bytes('before');
      await topic.append([{ key: 'a', value }]);
      value.fill(0);
      const { records } = await collect(topic, 1, { group: 'g' });
      expect(records.map(text)).toEqual(['before']);
    });

    it('leaves delivered bytes valid after the handler and after later appends', async () => {
      const topic = await start();
      await topic.append(numbered('a', 0, 50));
      const { records } = await collect(topic, 50, { group: 'g', maxBatchRecords: 7 });
      for (let round = 0; round < 5; round += 1) await topic.append(numbered('b', 1000, 50));
      expect(records.map(text)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    });

    it('keeps the records of a key in one partition and in order', async () => {
      const topic = await start(3);
      const keys = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
      for (let round = 0; round < 3; round += 1) {
        await topic.append(keys.flatMap((key) => numbered(key, round * 4, 4)));
      }
      const { records } = await collect(topic, 12 * 12, { group: 'g' });
      const partitionsUsed = new Set(records.map(({ partition }) => partition));
      expect(partitionsUsed.size).toBeGreaterThan(1);
      for (const key of keys) {
        const own = records.filter((consumed) => consumed.key === key);
        expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
        expect(own.map(text)).toEqual(Array.from({ length: 12 }, (_, index) => String(index)));
      }
    });

    it('delivers what concurrent appends wrote, each once and each call in its own order', async () => {
      const topic = await start(2);
      const calls = Array.from({ length: 20 }, (_, call) => numbered(`key-${call}`, 0, 10));
      const places = await Promise.all(calls.map((records) => topic.append(records)));
      const { records } = await collect(topic, 200, { group: 'g' });
      const seen = records.map(({ partition, offset }) => `${partition}/${offset}`);
      expect(new Set(seen).size).toBe(200);
      expect(new Set(seen)).toEqual(
        new Set(places.flat().map(({ partition, offset }) => `${partition}/${offset}`)),
      );
      for (let call = 0; call < 20; call += 1) {
        const own = records.filter(({ key }) => key === `key-${call}`);
        expect(own.map(text)).toEqual(Array.from({ length: 10 }, (_, index) => String(index)));
      }
    });

    it('shows every record to every group', async () => {
      const topic = await start();
      await topic.append(numbered('a', 0, 10));
      const [one, two] = await Promise.all([
        collect(topic, 10, { group: 'one' }),
        collect(topic, 10, { group: 'two', maxBatchRecords: 1 }),
      ]);
      expect(one.records.map(placeOf)).toEqual(two.records.map(placeOf));
      const late = await collect(topic, 10, { group: 'three' });
      expect(late.records.map(placeOf)).toEqual(one.records.map(placeOf));
    });

    it('commits the offset after a handled batch and continues there', async () => {
      const topic = await start();
      expect(await topic.committed('g', 0)).toBeUndefined();
      const first = await topic.append(numbered('a', 0, 3));
      await collect(topic, 3, { group: 'g' });
      expect(await topic.committed('g', 0)).toBe(first[2]!.offset + 1n);
      await topic.append(numbered('a', 3, 2));
      const { records } = await collect(topic, 2, { group: 'g' });
      expect(records.map(text)).toEqual(['3', '4']);
    });

    it('keeps records, commits, places and identity across a restart', async () => {
      const before = await start();
      const { topicId } = before;
      expect(topicId).toMatch(/^[a-z0-9-]+$/);
      const places = await before.append(numbered('a', 0, 6));
      await collect(before, 4, { group: 'g', maxBatchRecords: 4 });
      await harness!.reopen();
      const after = harness!.topic();
      expect(after.topicId).toBe(topicId);
      expect(await after.committed('g', 0)).toBe(places[3]!.offset + 1n);
      const rest = await collect(after, 2, { group: 'g' });
      expect(rest.records.map(text)).toEqual(['4', '5']);
      const all = await collect(after, 6, { group: 'other' });
      expect(all.records.map(placeOf)).toEqual(places);
      const [next] = await after.append([record('a', 'more')]);
      expect(next!.offset).toBeGreaterThan(places[5]!.offset);
      expect(next!.appendTimeMs).toBeGreaterThanOrEqual(places[5]!.appendTimeMs);
    });

    it('ends consume with the error of a handler and delivers the batch again', async () => {
      const topic = await start();
      await topic.append(numbered('a', 0, 4));
      const failure = new Error('handler failed');
      let handled = 0;
      const consumed = topic.consume({
        group: 'g',
        maxBatchRecords: 2,
        signal: new AbortController().signal,
        handle: () => {
          handled += 1;
          return handled === 2 ? Promise.reject(failure) : Promise.resolve();
        },
      });
      await expect(consumed).rejects.toBe(failure);
      const { records } = await collect(topic, 2, { group: 'g' });
      expect(records.map(text)).toEqual(['2', '3']);
    });

    it('starts where startOffset says, and at the committed offset when it says nothing', async () => {
      const topic = await start();
      const places = await topic.append(numbered('a', 0, 5));
      await collect(topic, 5, { group: 'g' });
      const asked: number[] = [];
      const again = await collect(topic, 2, {
        group: 'g',
        startOffset: (partition) => {
          asked.push(partition);
          return Promise.resolve(places[3]!.offset);
        },
      });
      expect(asked).toEqual([0]);
      expect(again.records.map(text)).toEqual(['3', '4']);
      await topic.append([record('a', '5')]);
      const rest = await collect(topic, 1, { group: 'g', startOffset: () => Promise.resolve(undefined) });
      expect(rest.records.map(text)).toEqual(['5']);
    });

    it('resolves only after the running handler when aborted, and commits its batch', async () => {
      const topic = await start();
      const [place] = await topic.append([record('a', '0')]);
      const stop = new AbortController();
      const order: string[] = [];
      let entered: () => void = () => undefined;
      const inHandler = new Promise<void>((resolve) => (entered = resolve));
      let finish: () => void = () => undefined;
      const finished = new Promise<void>((resolve) => (finish = resolve));
      const consumed = topic
        .consume({
          group: 'g',
          signal: stop.signal,
          handle: async () => {
            entered();
            await finished;
            order.push('handler');
          },
        })
        .then(() => order.push('consume'));
      await inHandler;
      stop.abort();
      await new Promise((resolve) => setImmediate(resolve));
      expect(order).toEqual([]);
      finish();
      await consumed;
      expect(order).toEqual(['handler', 'consume']);
      expect(await topic.committed('g', 0)).toBe(place!.offset + 1n);
    });

    it('resolves without a call when aborted while idle or before it began', async () => {
      const topic = await start();
      let calls = 0;
      const handle = () => {
        calls += 1;
        return Promise.resolve();
      };
      const stop = new AbortController();
      const idle = topic.consume({ group: 'idle', signal: stop.signal, handle });
      stop.abort();
      await idle;
      await topic.append([record('a', '0')]);
      await topic.consume({ group: 'before', signal: AbortSignal.abort(), handle });
      expect(calls).toBe(0);
    });

    it('bounds batches by count and bytes, but always delivers a record that is larger alone', async () => {
      const topic = await start();
      await topic.append(numbered('a', 0, 25));
      const counted = await collect(topic, 25, { group: 'count', maxBatchRecords: 10 });
      expect(counted.batches.every(({ records }) => records.length <= 10)).toBe(true);
      await topic.append(
        [100, 100, 5000, 100, 100].map((size) => ({ key: 'a', value: new Uint8Array(size) })),
      );
      const sized = await collect(topic, 30, { group: 'bytes', maxBatchBytes: 1000 });
      for (const { records } of sized.batches) {
        const size = records.reduce((sum, { value }) => sum + value.length, 0);
        expect(size <= 1000 || records.length === 1).toBe(true);
      }
      expect(sized.records).toHaveLength(30);
    });

    it('never runs two handlers of one partition at a time', async () => {
      const topic = await start(2);
      await topic.append(Array.from({ length: 40 }, (_, index) => record(`key-${index}`, 'x')));
      const inside = new Map<number, number>();
      let most = 0;
      const stop = new AbortController();
      let handled = 0;
      await topic.consume({
        group: 'g',
        maxBatchRecords: 1,
        signal: stop.signal,
        handle: async ({ partition }) => {
          const now = (inside.get(partition) ?? 0) + 1;
          inside.set(partition, now);
          most = Math.max(most, now);
          await new Promise((resolve) => setImmediate(resolve));
          inside.set(partition, now - 1);
          handled += 1;
          if (handled === 40) stop.abort();
        },
      });
      expect(most).toBe(1);
    });

    it('hands a batch that was put off over again, and goes on with other partitions meanwhile', async () => {
      const topic = await start(2);
      await topic.append(Array.from({ length: 40 }, (_, index) => record(`key-${index}`, String(index))));
      const stop = new AbortController();
      const seen: ConsumedRecord[] = [];
      let letGo: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (letGo = resolve));
      let isOpen = false;
      let putOffCount = 0;
      const openWhenDue = () => {
        if (putOffCount === 0 || seen.length <= 10) return;
        isOpen = true;
        letGo();
      };
      await topic.consume({
        group: 'g',
        maxBatchRecords: 5,
        signal: stop.signal,
        handle: ({ partition, records }) => {
          if (partition === 0 && !isOpen) {
            putOffCount += 1;
            openWhenDue();
            return Promise.reject(new DeferredError(gate));
          }
          seen.push(...records);
          openWhenDue();
          if (seen.length === 40) stop.abort();
          return Promise.resolve();
        },
      });
      expect(putOffCount).toBeGreaterThan(0);
      expect(new Set(seen.slice(0, 10).map(({ partition }) => partition))).toEqual(new Set([1]));
      const zero = seen.filter(({ partition }) => partition === 0).map(({ offset }) => offset);
      expect(zero).toEqual([...zero].sort((a, b) => (a < b ? -1 : 1)));
      expect(new Set(seen.map(text)).size).toBe(40);
    });

    it.each(['startOffset', 'handle'] as const)(
      'leaves a partition alone whose evidence %s finds contradictory, and goes on with the others',
      async (finder) => {
        const topic = await start(2);
        await topic.append(Array.from({ length: 40 }, (_, index) => record(`key-${index}`, String(index))));
        const { end } = await topic.bounds(1);
        const stop = new AbortController();
        const refused: string[] = [];
        const handled = new Map<number, number>();
        const check = (where: string, partition: number) => {
          if (where === finder && partition === 0) throw new IntegrityError('cannot go on: a fork');
        };
        let isOver = false;
        const consuming = topic.consume({
          group: 'g',
          signal: stop.signal,
          startOffset: async (partition) => {
            check('startOffset', partition);
            return (await topic.bounds(partition)).start;
          },
          refused: (partition, { message }) => refused.push(`${partition}: ${message}`),
          handle: async ({ partition, records }) => {
            check('handle', partition);
            handled.set(partition, (handled.get(partition) ?? 0) + records.length);
            await Promise.resolve();
          },
        });
        const over = consuming.finally(() => (isOver = true));
        await vi.waitFor(() => expect(handled.get(1)).toBe(Number(end)), { timeout: 120_000 });
        await vi.waitFor(() => expect(refused).toEqual(['0: cannot go on: a fork']), { timeout: 120_000 });
        await topic.append([record('key-0', 'more'), record('key-1', 'more'), record('key-2', 'more')]);
        const grown = Number((await topic.bounds(1)).end);
        await vi.waitFor(() => expect(handled.get(1)).toBe(grown), { timeout: 120_000 });
        expect(await topic.committed('g', 0)).toBeUndefined();
        expect(isOver).toBe(false);
        stop.abort();
        await over;
        expect([...handled.keys()]).toEqual([1]);
      },
    );

    it('delivers records that are appended while it consumes, also by the handler', async () => {
      const topic = await start();
      await topic.append([record('a', '0')]);
      const seen: string[] = [];
      const stop = new AbortController();
      await topic.consume({
        group: 'g',
        signal: stop.signal,
        handle: async ({ records }) => {
          seen.push(...records.map(text));
          const next = Number(seen.at(-1)) + 1;
          if (next < 20) await topic.append([record('a', String(next))]);
          else stop.abort();
        },
      });
      expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    });

    it('fills a batch no longer than lingerMs and loses nothing by it', async () => {
      const topic = await start();
      await topic.append(numbered('a', 0, 3));
      const { records } = await collect(topic, 3, { group: 'g', lingerMs: 50, maxBatchRecords: 100 });
      expect(records.map(text)).toEqual(['0', '1', '2']);
    });

    it('reads a range again, from inclusive to exclusive', async () => {
      const topic = await start();
      const places = await topic.append(numbered('a', 0, 10));
      await collect(topic, 10, { group: 'g' });
      const middle = await readAll(topic, 0, places[2]!.offset, places[5]!.offset);
      expect(middle.map(text)).toEqual(['2', '3', '4']);
      const tail = await readAll(topic, 0, places[8]!.offset);
      expect(tail.map(placeOf)).toEqual(places.slice(8));
      const { end } = await topic.bounds(0);
      expect(await readAll(topic, 0, end)).toEqual([]);
    });

    it('tells its bounds', async () => {
      const topic = await start(2);
      const empty = await topic.bounds(1);
      expect(empty.start).toBe(empty.end);
      const places = await topic.append([record('a', '0'), record('a', '1')]);
      await collect(topic, 2, { group: 'g' });
      const { start: oldest, end } = await topic.bounds(places[0]!.partition);
      expect(oldest).toBeLessThanOrEqual(places[0]!.offset);
      expect(end).toBeGreaterThan(places[1]!.offset);
    });

    it('gives back any sequence of appends, however it is split', async () => {
      const topic = await start(2);
      const anyRecord = fc.record({
        key: fc.string({ maxLength: 20, unit: 'grapheme' }),
        value: fc.uint8Array({ maxLength: 200 }),
      });
      let total = 0;
      const sent = new Map<string, string>();
      await fc.assert(
        fc.asyncProperty(fc.array(anyRecord, { maxLength: 20 }), async (records) => {
          const places = await topic.append(records);
          total += records.length;
          for (const [index, { partition, offset }] of places.entries()) {
            const { key, value } = records[index]!;
            sent.set(`${partition}/${offset}`, `${key} ${Buffer.from(value).toString('hex')}`);
          }
        }),
        { numRuns: 30 },
      );
      const { records } = await collect(topic, total, { group: 'g', maxBatchRecords: 13 });
      const received = new Map(
        records.map(({ partition, offset, key, value }) => [
          `${partition}/${offset}`,
          `${key} ${Buffer.from(value).toString('hex')}`,
        ]),
      );
      expect(received).toEqual(sent);
    });
  });
}
