import { crc32 } from 'node:zlib';
import { InputError, IntegrityError } from '../../runtime/errors.ts';
import type { ConsumedRecord, RecordPlace, TopicRecord } from '../topic.ts';

/**
 * One stored record:
 *
 *     append time ms  8 bytes, unsigned, big-endian
 *     crc32           4 bytes: of body, then of partition (2), offset (8) and append time (8)
 *     key length      2 bytes   ┐
 *     key             UTF-8     ├ body
 *     value           the rest  ┘
 *
 * The body is encoded when `append` is called; append time and checksum when the offset is known. The checksum
 * covers the place too: a record that turns up under a wrong offset is as damaged as one with a flipped bit.
 */
const HEADER_BYTES = 12;
const KEY_LENGTH_BYTES = 2;
const TWO_32 = 0x1_0000_0000;

/** Longest key in UTF-8 bytes; a key is a tenant id. */
export const KEY_MAX_BYTES = 1024;
/** Longest value; a collector request is bounded far below it. */
export const VALUE_MAX_BYTES = 256 * 1024 * 1024;
/** What a record costs beyond its key and value, counted towards every byte bound. */
export const RECORD_OVERHEAD_BYTES = 64;

export interface EncodedRecord {
  readonly key: string;
  readonly keyBytes: Uint8Array;
  readonly stored: Buffer;
  readonly bodyCrc: number;
}

const place = Buffer.alloc(18);

function placedCrc(bodyCrc: number, partition: number, offset: bigint, appendTimeMs: number): number {
  place.writeUInt16BE(partition, 0);
  place.writeBigUInt64BE(offset, 2);
  place.writeUInt32BE(Math.floor(appendTimeMs / TWO_32), 10);
  place.writeUInt32BE(appendTimeMs % TWO_32, 14);
  return crc32(place, bodyCrc);
}

/** Copies the records into one new buffer, so the caller may reuse its own at once. Throws `input_too_large`. */
export function encodeRecords(topic: string, records: readonly TopicRecord[]): EncodedRecord[] {
  let totalBytes = 0;
  const keyBytes = records.map((record) => {
    const keyLength = Buffer.byteLength(record.key);
    if (keyLength > KEY_MAX_BYTES) {
      throw new InputError(
        'input_too_large',
        `cannot append to ${topic}: key of ${keyLength} bytes, at most ${KEY_MAX_BYTES}`,
      );
    }
    if (record.value.length > VALUE_MAX_BYTES) {
      throw new InputError(
        'input_too_large',
        `cannot append to ${topic}: value of ${record.value.length} bytes, at most ${VALUE_MAX_BYTES}`,
      );
    }
    totalBytes += HEADER_BYTES + KEY_LENGTH_BYTES + keyLength + record.value.length;
    return keyLength;
  });
  const all = Buffer.allocUnsafeSlow(totalBytes);
  let at = 0;
  return records.map((record, index) => {
    const keyLength = keyBytes[index] ?? 0;
    const keyStart = at + HEADER_BYTES + KEY_LENGTH_BYTES;
    const end = keyStart + keyLength + record.value.length;
    all.writeUInt16BE(keyLength, at + HEADER_BYTES);
    all.write(record.key, keyStart, 'utf8');
    all.set(record.value, keyStart + keyLength);
    const stored = all.subarray(at, end);
    const bodyCrc = crc32(all.subarray(at + HEADER_BYTES, end));
    at = end;
    return { key: record.key, keyBytes: all.subarray(keyStart, keyStart + keyLength), stored, bodyCrc };
  });
}

/** Completes an encoded record in place. May be called again with another place after a failed commit. */
export function placeRecord(
  record: EncodedRecord,
  partition: number,
  offset: bigint,
  appendTimeMs: number,
): Buffer {
  record.stored.writeUInt32BE(Math.floor(appendTimeMs / TWO_32), 0);
  record.stored.writeUInt32BE(appendTimeMs % TWO_32, 4);
  record.stored.writeUInt32BE(placedCrc(record.bodyCrc, partition, offset, appendTimeMs), 8);
  return record.stored;
}

/** What `decodeRecord` would give for an encoded record at its place; the value shares memory with it. */
export function recordOf(record: EncodedRecord, place: RecordPlace): ConsumedRecord {
  const value = record.stored.subarray(HEADER_BYTES + KEY_LENGTH_BYTES + record.keyBytes.length);
  return { key: record.key, value, ...place };
}

/** Append time of a stored record, without a check of its content. */
export function storedAppendTimeMs(stored: Buffer): number {
  return stored.readUInt32BE(0) * TWO_32 + stored.readUInt32BE(4);
}

/** Reads a stored record back; the value shares memory with `stored`. Throws IntegrityError when it is damaged. */
export function decodeRecord(
  topic: string,
  partition: number,
  offset: bigint,
  stored: Buffer,
): ConsumedRecord {
  const damaged = (reason: string) =>
    new IntegrityError(`cannot read ${topic} partition ${partition} offset ${offset}: ${reason}`);
  if (stored.length < HEADER_BYTES + KEY_LENGTH_BYTES) throw damaged('the stored record is cut off');
  const appendTimeMs = storedAppendTimeMs(stored);
  const crc = placedCrc(crc32(stored.subarray(HEADER_BYTES)), partition, offset, appendTimeMs);
  if (crc !== stored.readUInt32BE(8)) throw damaged('the checksum of the stored record does not match');
  const keyStart = HEADER_BYTES + KEY_LENGTH_BYTES;
  const keyEnd = keyStart + stored.readUInt16BE(HEADER_BYTES);
  return {
    key: stored.toString('utf8', keyStart, keyEnd),
    value: stored.subarray(keyEnd),
    partition,
    offset,
    appendTimeMs,
  };
}
