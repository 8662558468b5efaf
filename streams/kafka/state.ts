import type { StateStore } from '../topic.ts';
import type { KafkaReader } from './reader.ts';

type ReadableState = Pick<StateStore, 'entries' | 'read'>;

/**
 * One partition of a compacted topic as a map: the last value of each name. Reads the whole partition for every call,
 * which happens when a worker takes a partition over or a verifier starts, and keeps nothing. Ends where a transaction
 * ends, so a write of several names is seen whole or not at all.
 */
export const readState = (reader: KafkaReader, topic: string, partition: number): ReadableState =>
  readUpTo(reader, topic, partition, () => reader.offset(topic, partition, 'stable'));

/** The same for the owner of a claim, who sees all it has written; waits for what is not decided yet. */
export const readOwnState = (reader: KafkaReader, topic: string, partition: number): ReadableState =>
  readUpTo(reader, topic, partition, () => reader.decidedEnd(topic, partition));

function readUpTo(
  reader: KafkaReader,
  topic: string,
  partition: number,
  endOf: () => Promise<bigint>,
): ReadableState {
  async function load(isWanted: (name: string) => boolean): Promise<Map<string, Uint8Array>> {
    const values = new Map<string, Uint8Array>();
    const start = await reader.offset(topic, partition, 'start');
    for await (const records of reader.read(topic, partition, start, await endOf())) {
      for (const { key, value } of records) {
        const name = key?.toString('utf8') ?? '';
        if (!isWanted(name)) continue;
        // A copy: the bytes are a view of the whole answer, which would stay in memory.
        if (value === null) values.delete(name);
        else values.set(name, Buffer.from(value));
      }
    }
    return values;
  }

  return {
    async *entries(prefix) {
      const values = await load((name) => name.startsWith(prefix));
      for (const name of [...values.keys()].sort(byUtf8)) {
        const value = values.get(name);
        if (value !== undefined) yield { name, value };
      }
    },
    async read(name) {
      return (await load((found) => found === name)).get(name);
    },
  };
}

const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
