import { aborted } from '../../runtime/aborted.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import { embeddedClaims } from '../../streams/embedded/claims.ts';
import type {
  ConsumedRecord,
  ConsumeOptions,
  Log,
  StateStore,
  Topic,
  TopicName,
  TopicRecord,
} from '../../streams/topic.ts';

/** A topic in memory with a clock the test sets; one partition. For tests that need to choose append times. */
export interface MemoryTopic extends Topic {
  readonly records: ConsumedRecord[];
  /** Append time of the next records. */
  nowMs: number;
  /** Resolves when the group has committed everything appended so far. */
  drained(group: string): Promise<void>;
}

export function memoryTopic(
  name: TopicName,
  nowMs: number,
  topicId = name.replace('custody.', 't-'),
): MemoryTopic {
  const records: ConsumedRecord[] = [];
  const committed = new Map<string, bigint>();
  let wake: (() => void)[] = [];
  const notify = () => {
    const waiting = wake;
    wake = [];
    for (const resolve of waiting) resolve();
  };
  const changed = (signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      wake.push(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  const topic: MemoryTopic = {
    name,
    topicId,
    partitions: 1,
    records,
    nowMs,
    append(batch: readonly TopicRecord[]) {
      const places = batch.map((record) => {
        const placed = { ...record, partition: 0, offset: BigInt(records.length), appendTimeMs: topic.nowMs };
        records.push(placed);
        return placed;
      });
      notify();
      return Promise.resolve(places);
    },
    async consume(options: ConsumeOptions) {
      try {
        await consume(options);
      } catch (error) {
        if (!(error instanceof IntegrityError) || options.refused === undefined) throw error;
        options.refused(0, error);
        await aborted(options.signal);
      }
    },
    async *read(_partition, from, to) {
      await Promise.resolve();
      yield* records.slice(Number(from), to === undefined ? undefined : Number(to));
    },
    bounds: () => Promise.resolve({ start: 0n, end: BigInt(records.length) }),
    committed: (group) => Promise.resolve(committed.get(group)),
    async drained(group) {
      while ((committed.get(group) ?? 0n) < BigInt(records.length)) await changed();
    },
  };
  return topic;

  async function consume(options: ConsumeOptions): Promise<void> {
    let next = (await options.startOffset?.(0)) ?? committed.get(options.group) ?? 0n;
    while (!options.signal.aborted) {
      const batch = records.slice(Number(next), Number(next) + (options.maxBatchRecords ?? 1000));
      if (batch.length === 0) {
        await changed(options.signal);
        continue;
      }
      next += BigInt(batch.length);
      const lease = { signal: options.signal, confirm: () => Promise.resolve() };
      await options.handle({ partition: 0, records: batch, nextOffset: next }, lease);
      committed.set(options.group, next);
      notify();
    }
  }
}

export function memoryState(): StateStore & { readonly values: Map<string, Uint8Array> } {
  const values = new Map<string, Uint8Array>();
  return {
    values,
    async *entries(prefix) {
      await Promise.resolve();
      for (const name of [...values.keys()].sort()) {
        const value = values.get(name);
        if (name.startsWith(prefix) && value !== undefined) yield { name, value };
      }
    },
    read: (name) => Promise.resolve(values.get(name)),
    write(changes) {
      for (const { name, value } of changes) {
        if (value === undefined) values.delete(name);
        else values.set(name, value);
      }
      return Promise.resolve();
    },
  };
}

/** The claims of a log that has only this state. */
export function memoryLog(state: StateStore): Pick<Log, 'claim'> {
  const claim = embeddedClaims(state, (name) => {
    throw new Error(`no topic ${name} here`);
  });
  return { claim };
}
