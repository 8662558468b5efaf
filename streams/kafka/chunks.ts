import type { Batch, ConsumedRecord, ConsumeOptions } from '../topic.ts';
import type { Fetched } from './fetcher.ts';
import type { StoredRecord } from './record-batch.ts';

const BATCH_RECORDS = 1000;
export const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * What was fetched in the sizes the handler wants. The last batch ends where the fetch ended, which is behind its
 * records when markers of transactions follow; a fetch of markers alone is one batch without records.
 */
export function chunksOf(
  { records, next }: Fetched,
  partition: number,
  { maxBatchRecords = BATCH_RECORDS, maxBatchBytes = BATCH_BYTES }: ConsumeOptions,
): Batch[] {
  const chunks: ConsumedRecord[][] = [];
  let bytes = 0;
  for (const stored of records) {
    const record = consumedRecord(stored, partition);
    const chunk = chunks.at(-1);
    const isFull =
      chunk === undefined ||
      chunk.length >= Math.max(1, maxBatchRecords) ||
      bytes + record.value.length > maxBatchBytes;
    if (isFull) {
      chunks.push([record]);
      bytes = record.value.length;
      continue;
    }
    chunk.push(record);
    bytes += record.value.length;
  }
  if (chunks.length === 0) chunks.push([]);
  return chunks.map((chunk, index) => {
    const last = chunk.at(-1);
    const isLast = index === chunks.length - 1;
    return { partition, records: chunk, nextOffset: isLast || last === undefined ? next : last.offset + 1n };
  });
}

export function consumedRecord(stored: StoredRecord, partition: number): ConsumedRecord {
  const { offset, timestampMs, key, value } = stored;
  return {
    partition,
    offset,
    appendTimeMs: timestampMs,
    key: key?.toString('utf8') ?? '',
    value: value ?? new Uint8Array(0),
  };
}
