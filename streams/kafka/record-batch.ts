import { gunzipSync } from 'node:zlib';
import { IntegrityError } from '../../runtime/errors.ts';

/**
 * Record batches as brokers store and send them (magic 2), big-endian:
 *
 *     base offset 8 · length 4 · leader epoch 4 · magic 1 · crc32c 4 · attributes 2 · last offset delta 4 ·
 *     base timestamp 8 · max timestamp 8 · producer id 8 · producer epoch 2 · base sequence 4 · count 4 · records
 *
 * attributes: bits 0–2 compression, bit 3 log append time, bit 4 transactional, bit 5 control. A record is a varint
 * length and then attributes 1 · timestamp delta · offset delta · key · value · headers, all varints zigzag.
 * Source: Kafka's protocol guide, "Record Batch". Reads bytes a broker sent.
 */
export interface RecordBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly records: readonly StoredRecord[];
}

export interface StoredRecord {
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

const HEADER_BYTES = 61;
const LENGTH_AT = 8;
const BEFORE_LENGTH_BYTES = 12;
const MAGIC = 2;
const COMPRESSION_MASK = 0b111;
const GZIP = 1;
const LOG_APPEND_TIME = 0b1000;
const TRANSACTIONAL = 0b1_0000;
const CONTROL = 0b10_0000;

/** All whole batches of a record set; a cut last one is left out, it comes with the next fetch. */
export function decodeRecordBatches(set: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= set.length) {
    const end = at + BEFORE_LENGTH_BYTES + set.readInt32BE(at + LENGTH_AT);
    if (end > set.length || end < at + HEADER_BYTES) break;
    batches.push(decodeBatch(set.subarray(at, end)));
    at = end;
  }
  return batches;
}

function decodeBatch(bytes: Buffer): RecordBatch {
  const magic = bytes.readInt8(16);
  if (magic !== MAGIC) throw new IntegrityError(`cannot read record batch: format ${magic} is not ${MAGIC}`);
  const baseOffset = bytes.readBigInt64BE(0);
  const attributes = bytes.readInt16BE(21);
  const count = bytes.readInt32BE(57);
  const times = { base: bytes.readBigInt64BE(27), max: bytes.readBigInt64BE(35) };
  return {
    baseOffset,
    lastOffset: baseOffset + BigInt(bytes.readInt32BE(23)),
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    records: decodeRecords(inflate(bytes.subarray(HEADER_BYTES), attributes), count, {
      baseOffset,
      baseTimestamp: times.base,
      appendTime: (attributes & LOG_APPEND_TIME) === 0 ? undefined : Number(times.max),
    }),
  };
}

function inflate(bytes: Buffer, attributes: number): Buffer {
  const compression = attributes & COMPRESSION_MASK;
  if (compression === 0 || bytes.length === 0) return bytes;
  if (compression === GZIP) return gunzipSync(bytes);
  throw new IntegrityError(`cannot read record batch: compression ${compression} is neither none nor gzip`);
}

interface BatchContext {
  readonly baseOffset: bigint;
  readonly baseTimestamp: bigint;
  readonly appendTime: number | undefined;
}

function decodeRecords(bytes: Buffer, count: number, context: BatchContext): StoredRecord[] {
  const records: StoredRecord[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
  };
  const field = (): Buffer | null => {
    const length = varint();
    if (length < 0) return null;
    at += length;
    return bytes.subarray(at - length, at);
  };
  for (let index = 0; index < count; index += 1) {
    const length = varint();
    const end = at + length;
    at += 1;
    const timestampDelta = varint();
    const offsetDelta = varint();
    const key = field();
    const value = field();
    at = end;
    records.push({
      offset: context.baseOffset + BigInt(offsetDelta),
      timestampMs: context.appendTime ?? Number(context.baseTimestamp) + timestampDelta,
      key,
      value,
    });
  }
  return records;
}

/** A transaction that was rolled back, as a fetch answer names it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

const ABORT_MARKER = 0;

/**
 * The records of committed work: neither those of aborted transactions nor the markers. `aborted` lists, per fetch
 * answer, where each aborted transaction of a producer begins; its abort marker ends it.
 */
export function committedRecords(
  batches: readonly RecordBatch[],
  aborted: readonly AbortedTransaction[],
): StoredRecord[] {
  const upcoming = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const rolledBack = new Set<bigint>();
  const records: StoredRecord[] = [];
  for (const batch of batches) {
    while (upcoming[0] !== undefined && upcoming[0].firstOffset <= batch.lastOffset) {
      rolledBack.add(upcoming[0].producerId);
      upcoming.shift();
    }
    if (batch.isControl) {
      // The key of a control record: version 2 bytes, type 2 bytes.
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT_MARKER) rolledBack.delete(batch.producerId);
      continue;
    }
    if (batch.isTransactional && rolledBack.has(batch.producerId)) continue;
    records.push(...batch.records);
  }
  return records;
}
