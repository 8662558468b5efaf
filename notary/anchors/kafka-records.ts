import { IntegrityError } from '../../runtime/errors.ts';
import type { KafkaReader } from '../../streams/kafka/reader.ts';
import type { StoredRecord } from '../../streams/kafka/record-batch.ts';
import { parseCheckpointLine } from './checkpoint-line.ts';
import type { Held } from './held.ts';

/** The checkpoints of one log in partition 0 of a topic, read once and then followed. */
export interface KafkaRecords {
  /** The largest of those that are in the topic now. Throws an IntegrityError for a record that is no checkpoint. */
  largest(): Promise<Held | undefined>;
}

const FIRST_WINDOW = 256n;
const WINDOW_GROWTH = 8n;

export function kafkaRecords(reader: KafkaReader, topic: string, origin: string): KafkaRecords {
  let largest: Held | undefined;
  let next: bigint | undefined;

  function take({ key, value, offset }: StoredRecord): void {
    if (key?.toString('utf8') !== origin) return;
    const parsed = parseCheckpointLine(value?.toString('utf8') ?? '');
    if ('fault' in parsed || parsed.origin !== origin)
      throw new IntegrityError(`cannot use topic ${topic}: the record at offset ${offset} is no checkpoint`);
    const { held } = parsed;
    if (largest === undefined || largest.size < held.size) largest = held;
    else if (largest.size === held.size && Buffer.compare(largest.root, held.root) !== 0)
      throw new IntegrityError(
        `cannot use topic ${topic}: it has two trees of size ${held.size} of ${origin}`,
      );
  }

  async function takeAll(from: bigint, to: bigint): Promise<void> {
    for await (const records of reader.read(topic, 0, from, to)) records.forEach(take);
  }

  return {
    async largest() {
      const end = await reader.decidedEnd(topic, 0);
      if (next !== undefined) {
        if (end < next)
          throw new IntegrityError(`cannot use topic ${topic}: what was written to it is not there any more`);
        await takeAll(next, end);
        next = end;
        return largest;
      }
      // The last ones first: other logs may write to the topic, and this one may be long.
      const start = await reader.offset(topic, 0, 'start');
      let window = FIRST_WINDOW;
      for (let to = end; to > start && largest === undefined; window *= WINDOW_GROWTH) {
        const from = to - start > window ? to - window : start;
        await takeAll(from, to);
        to = from;
      }
      next = end;
      return largest;
    },
  };
}
