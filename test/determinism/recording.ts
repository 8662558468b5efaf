import {
  type ConsumedRecord,
  type Log,
  type Topic,
  TOPIC_NAMES,
  type TopicName,
} from '../../streams/topic.ts';

/** Every record of a log with its place. */
export type Recording = ReadonlyMap<TopicName, RecordedTopic>;

export interface RecordedTopic {
  readonly topicId: string;
  readonly ends: readonly bigint[];
  /** By partition, in offset order. */
  readonly partitions: readonly (readonly ConsumedRecord[])[];
}

export async function readRecording(log: Log): Promise<Recording> {
  return new Map(
    await Promise.all(TOPIC_NAMES.map(async (name) => [name, await readTopic(log.topic(name))] as const)),
  );
}

async function readTopic(topic: Topic): Promise<RecordedTopic> {
  const partitions = await Promise.all(
    Array.from({ length: topic.partitions }, async (_, partition) => {
      const records: ConsumedRecord[] = [];
      // A copy: the bytes are a view of a whole answer.
      for await (const record of topic.read(partition, 0n))
        records.push({ ...record, value: Buffer.from(record.value) });
      return { records, end: (await topic.bounds(partition)).end };
    }),
  );
  return {
    topicId: topic.topicId,
    ends: partitions.map(({ end }) => end),
    partitions: partitions.map(({ records }) => records),
  };
}

export interface ReplayedTopic extends Topic {
  /** Resolves when the group has handled every record. */
  drained(group: string): Promise<void>;
}

/** A recorded topic as a stage sees it: every record at the place it was recorded at, in batches of this many. */
export function replayedTopic(name: TopicName, recorded: RecordedTopic, batchRecords: number): ReplayedTopic {
  const done = new Map<string, { readonly promise: Promise<void>; readonly resolve: () => void }>();
  const doneOf = (group: string) => {
    let found = done.get(group);
    if (found === undefined) {
      let resolve: () => void = () => undefined;
      const promise = new Promise<void>((made) => (resolve = made));
      done.set(group, (found = { promise, resolve }));
    }
    return found;
  };
  const of = (partition: number) => recorded.partitions[partition] ?? [];
  return {
    name,
    topicId: recorded.topicId,
    partitions: recorded.partitions.length,
    append: () => Promise.reject(new Error('a recording takes no records')),
    async consume({ group, startOffset, handle, signal }) {
      const lease = { signal, confirm: () => Promise.resolve() };
      await Promise.all(
        recorded.partitions.map(async (_, partition) => {
          let next = (await startOffset?.(partition)) ?? 0n;
          const end = recorded.ends[partition] ?? 0n;
          while (next < end) {
            const from = next;
            const records = of(partition)
              .filter(({ offset }) => offset >= from)
              .slice(0, batchRecords);
            const last = records.at(-1);
            const isLast = last === undefined || last === of(partition).at(-1);
            next = isLast ? end : last.offset + 1n;
            await handle({ partition, records, nextOffset: next }, lease);
          }
        }),
      );
      doneOf(group).resolve();
      if (!signal.aborted)
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
    },
    async *read(partition, from, to) {
      await Promise.resolve();
      yield* of(partition).filter(({ offset }) => offset >= from && (to === undefined || offset < to));
    },
    bounds: (partition) => Promise.resolve({ start: 0n, end: recorded.ends[partition] ?? 0n }),
    committed: () => Promise.resolve(undefined),
    drained: (group) => doneOf(group).promise,
  };
}
