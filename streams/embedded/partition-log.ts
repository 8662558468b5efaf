import { IntegrityError, PermanentError } from '../../runtime/errors.ts';
import type { ConsumedRecord, RecordPlace, TopicName } from '../topic.ts';
import type { Change, Environment, Table } from './environment.ts';
import {
  decodeRecord,
  type EncodedRecord,
  recordOf,
  placeRecord,
  RECORD_OVERHEAD_BYTES,
  storedAppendTimeMs,
} from './record-codec.ts';
import { createRecentRecords } from './recent-records.ts';
import { storageError } from './storage-error.ts';

export interface ReadLimits {
  readonly records: number;
  /** Keys and values; a single record may be larger. */
  readonly bytes: number;
}

/** One partition: a table from offset (8 bytes, big-endian) to stored record, and its head in the meta table. */
export interface PartitionLog {
  readonly topic: TopicName;
  readonly partition: number;
  /** Oldest kept offset and the offset after the last record on disk. */
  bounds(): { readonly start: bigint; readonly end: bigint };
  /** Adds the records to a transaction and gives them their places. */
  stage(changes: Change[], records: readonly EncodedRecord[], nowMs: number): RecordPlace[];
  /** Makes what was staged visible. */
  committed(): void;
  /** Forgets what was staged. */
  reverted(): void;
  /** Records of [from, to) up to the limits; empty when there are none. Throws IntegrityError on a gap. */
  take(from: bigint, to: bigint, limits: ReadLimits): ConsumedRecord[];
  /** First offset in [start, limit] whose append time is not before `timeMs`; `limit` if there is none. */
  firstSince(timeMs: number, limit: bigint): bigint;
  /** Adds the removal of the records before `offset` to a transaction; visible after `committed`. */
  stageRemoval(changes: Change[], offset: bigint): void;
  /** Calls the listener after every commit that added records, until the returned function is called. */
  onAppend(listener: () => void): () => void;
}

interface Head {
  readonly start: bigint;
  readonly end: bigint;
  readonly lastTimeMs: number;
}

const HEAD_BYTES = 24;
/** More than a second of records at full speed: consumers batch over a fraction of that. */
const RECENT_MAX_BYTES = 16 * 1024 * 1024;

export function offsetKey(offset: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(offset);
  return key;
}

function encodeHead(head: Head): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES);
  bytes.writeBigUInt64BE(head.start, 0);
  bytes.writeBigUInt64BE(head.end, 8);
  bytes.writeBigUInt64BE(BigInt(head.lastTimeMs), 16);
  return bytes;
}

/** Opens a partition and checks its ends against its head. Throws IntegrityError. */
export function openPartition(
  environment: Environment,
  meta: Table,
  topic: TopicName,
  partition: number,
): PartitionLog {
  const table = environment.table(`${topic}/${partition}`);
  const headKey = Buffer.from(`head/${topic}/${partition}`);
  const listeners = new Set<() => void>();
  const recent = createRecentRecords(RECENT_MAX_BYTES);
  let stagedRecords: ConsumedRecord[] = [];
  let head = readHead();
  let staged = head;

  function broken(reason: string): IntegrityError {
    return new IntegrityError(`cannot read ${topic} partition ${partition}: ${reason}`);
  }

  function readHead(): Head {
    const stored = meta.get(headKey);
    const found: Head =
      stored === undefined
        ? { start: 0n, end: 0n, lastTimeMs: 0 }
        : {
            start: stored.readBigUInt64BE(0),
            end: stored.readBigUInt64BE(8),
            lastTimeMs: Number(stored.readBigUInt64BE(16)),
          };
    const first = edge(false);
    const last = edge(true);
    if ((first ?? found.end) !== found.start) {
      throw broken(`it begins at offset ${first ?? 'none'} where its head says ${found.start}`);
    }
    if ((last ?? found.end - 1n) !== found.end - 1n) {
      throw broken(`it ends at offset ${last ?? 'none'} where its head says ${found.end - 1n}`);
    }
    if (last !== undefined) decodeRecord(topic, partition, last, storedAt(last));
    return found;
  }

  function edge(reverse: boolean): bigint | undefined {
    try {
      for (const key of table.getKeys({ limit: 1, reverse })) return key.readBigUInt64BE();
      return undefined;
    } catch (cause) {
      throw storageError(`read ${topic} partition ${partition}`, cause);
    }
  }

  function storedAt(offset: bigint): Buffer {
    const stored = table.getBinary(offsetKey(offset));
    if (stored === undefined) throw broken(`offset ${offset} is missing`);
    return stored;
  }

  return {
    topic,
    partition,
    bounds: () => ({ start: head.start, end: head.end }),
    stage(changes, records, nowMs) {
      const appendTimeMs = Math.max(Math.trunc(nowMs), staged.lastTimeMs);
      let offset = staged.end;
      const places = records.map((record) => {
        const value = placeRecord(record, partition, offset, appendTimeMs);
        changes.push({ table, key: offsetKey(offset), value, last: true });
        const place: RecordPlace = { partition, offset, appendTimeMs };
        stagedRecords.push(recordOf(record, place));
        offset += 1n;
        return place;
      });
      staged = { ...staged, end: offset, lastTimeMs: appendTimeMs };
      changes.push({ table: meta, key: headKey, value: encodeHead(staged) });
      return places;
    },
    committed() {
      if (staged === head) return;
      const grew = staged.end > head.end;
      head = staged;
      for (const record of stagedRecords) recent.push(record);
      stagedRecords = [];
      if (grew) for (const listener of [...listeners]) listener();
    },
    reverted() {
      staged = head;
      stagedRecords = [];
    },
    take(from, to, limits) {
      const records: ConsumedRecord[] = [];
      const end = to < head.end ? to : head.end;
      if (from >= end) return records;
      const wanted = end - from < BigInt(limits.records) ? Number(end - from) : limits.records;
      let bytes = 0;
      let offset = from;
      for (let next = recent.at(offset); next !== undefined; next = recent.at(offset)) {
        if (records.length === wanted) return records;
        bytes += next.value.length;
        if (records.length > 0 && bytes > limits.bytes) return records;
        records.push(next);
        offset += 1n;
      }
      if (records.length > 0) return records;
      try {
        for (const { key, value } of table.getRange({ start: offsetKey(from), limit: wanted })) {
          if (key.readBigUInt64BE() !== offset) break;
          bytes += value.length;
          if (records.length > 0 && bytes > limits.bytes) return records;
          records.push(decodeRecord(topic, partition, offset, value));
          offset += 1n;
        }
      } catch (cause) {
        throw storageError(`read ${topic} partition ${partition}`, cause);
      }
      if (records.length < wanted) {
        if (offset < head.start) {
          throw new PermanentError(
            'rejected',
            `cannot read ${topic} partition ${partition} offset ${offset}: retention has removed it`,
          );
        }
        throw broken(`offset ${offset} is missing`);
      }
      return records;
    },
    firstSince(timeMs, limit) {
      let low = head.start;
      let high = limit < head.end ? limit : head.end;
      while (low < high) {
        const middle = (low + high) / 2n;
        if (storedAppendTimeMs(storedAt(middle)) < timeMs) low = middle + 1n;
        else high = middle;
      }
      return low;
    },
    stageRemoval(changes, offset) {
      for (let at = staged.start; at < offset; at += 1n) {
        changes.push({ table, key: offsetKey(at), value: undefined });
      }
      staged = { ...staged, start: offset };
      changes.push({ table: meta, key: headKey, value: encodeHead(staged) });
    },
    onAppend(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Bytes an append holds until it is on disk. */
export function unwrittenBytes(records: readonly EncodedRecord[]): number {
  return records.reduce((sum, { stored }) => sum + stored.length + RECORD_OVERHEAD_BYTES, 0);
}
