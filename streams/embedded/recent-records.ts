import type { ConsumedRecord } from '../topic.ts';

/**
 * The newest records of a partition, kept in memory up to a byte bound. Consumers that keep up are served from here:
 * they cost no read, no checksum, and touch no page of the mapped file, so the resident size of the process does not
 * grow with the log.
 */
export interface RecentRecords {
  /** Adds a record that is on disk. Its offset follows the last one. */
  push(record: ConsumedRecord): void;
  /** The record at an offset, if it is still here. */
  at(offset: bigint): ConsumedRecord | undefined;
}

export function createRecentRecords(maxBytes: number): RecentRecords {
  let records: ConsumedRecord[] = [];
  /** Records before this index are gone; the array is compacted when half of it is. */
  let first = 0;
  let bytes = 0;

  function dropFirst(): void {
    bytes -= records[first]?.value.length ?? 0;
    first += 1;
    if (first * 2 > records.length) {
      records = records.slice(first);
      first = 0;
    }
  }

  return {
    push(record) {
      records.push(record);
      bytes += record.value.length;
      while (bytes > maxBytes && first < records.length) dropFirst();
    },
    at(offset) {
      const oldest = records[first];
      if (oldest === undefined || offset < oldest.offset) return undefined;
      return records[first + Number(offset - oldest.offset)];
    },
  };
}
