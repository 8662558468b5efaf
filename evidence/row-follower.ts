import { hash } from 'node:crypto';
import { ENTRY_VERSION } from './entry.ts';
import type { TreeHasher } from './merkle/tree-hasher.ts';
import type { RawEntry } from './raw-entry.ts';

/**
 * Takes the rows of one log that are exactly what must come next, out of the bytes they were read in, and hashes them
 * without making an object, a string or a BigInt for each. It never judges: a row that differs in anything, be it a byte,
 * is left to the verifier that names causes.
 *
 * A row is RowBinary of log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body.
 */
export interface RowFollower {
  /** Goes on after a row that the verifier found right, up to and without `limit`; the tree grows by each row taken. */
  arm(row: RawEntry, limit: bigint, tree: TreeHasher | undefined): void;
  disarm(): void;
  /** Where the row at `at` ends, when it was taken; 0 when it was not, which includes one that is cut off. */
  follow(buffer: Buffer, at: number): number;
  /** Rows taken since `arm`. */
  readonly count: number;
  /** Of the last row taken. */
  readonly offset: bigint;
  /** Of the last row taken, lower-case hex. */
  readonly leaf: string;
}

const HASH_BYTES = 32;
const DAY_MS = 86_400_000;
const LF = 0x0a;
const ZERO = 0x30;
/** High half of the largest integer a number holds. */
const SAFE_HIGH = 2 ** 21;
const HIGH = 2 ** 32;
/** What follows the varying text of a row: seq, koffset, kts_ms, day and three hashes. */
const FIXED_BYTES = 8 + 8 + 8 + 2 + 3 * HASH_BYTES;
const HEX = Buffer.from('0123456789abcdef');

export function createRowFollower(): RowFollower {
  let isArmed = false;
  /** Bytes that must come before seq, before koffset and after day. */
  let head: Buffer = Buffer.alloc(0);
  let topic = head;
  let kind = head;
  let headLog = '';
  let nextSeq = 0;
  let limit = 0;
  let lastOffset = 0;
  let day = 0;
  let tree: TreeHasher | undefined;
  let count = 0;
  const leaf = Buffer.alloc(HASH_BYTES);
  /** The preimage after its zero byte; its beginning stays the same. */
  const preimage = Buffer.alloc(4096);
  const views: (Buffer | undefined)[] = [];
  let preimageHead = 0;
  let lastTimeMs = -1;
  let timeLine: Buffer = Buffer.alloc(0);
  /** What comes between link and offset, and between time and hash. */
  let place = head;
  let kindLine = head;

  function matches(buffer: Buffer, at: number, expected: Buffer): boolean {
    if (at + expected.length > buffer.length) return false;
    // Indexed: a call into the runtime costs more than these few bytes.
    for (let index = 0; index < expected.length; index++)
      if (buffer[at + index] !== expected[index]) return false;
    return true;
  }
  function put(bytes: Buffer, at: number): number {
    for (let index = 0; index < bytes.length; index++) preimage[at + index] = bytes[index] as number;
    return at + bytes.length;
  }
  function putDecimal(value: number, at: number): number {
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits++;
    let rest = value;
    for (let index = at + digits - 1; index >= at; index--) {
      const tenth = Math.floor(rest / 10);
      preimage[index] = ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    preimage[at + digits] = LF;
    return at + digits + 1;
  }
  function putHex(bytes: Uint8Array, from: number, at: number): number {
    for (let index = 0; index < HASH_BYTES; index++) {
      const byte = bytes[from + index] as number;
      preimage[at + 2 * index] = HEX[byte >> 4] as number;
      preimage[at + 2 * index + 1] = HEX[byte & 15] as number;
    }
    preimage[at + 2 * HASH_BYTES] = LF;
    return at + 2 * HASH_BYTES + 1;
  }

  /** The time as it was written last: most rows share theirs with the one before. */
  function putTime(timeMs: number, at: number): number {
    if (timeMs !== lastTimeMs) {
      const end = putDecimal(timeMs, at);
      timeLine = Buffer.from(preimage.subarray(at, end));
      lastTimeMs = timeMs;
      return end;
    }
    return put(timeLine, at);
  }
  /** Whether the hash, text of one character a byte, is the one that was read. */
  function isStored(text: string, buffer: Buffer, at: number): boolean {
    for (let index = 0; index < HASH_BYTES; index++)
      if (text.charCodeAt(index) !== buffer[at + index]) return false;
    return true;
  }
  /** The beginning of the preimage: rows have few lengths, and a view of one is as dear as half a hash. */
  function preimageOf(size: number): Buffer {
    return (views[size] ??= preimage.subarray(0, size));
  }

  function follow(buffer: Buffer, start: number): number {
    if (!isArmed || nextSeq >= limit || !matches(buffer, start, head)) return 0;
    let at = start + head.length;
    if (at + topic.length + kind.length + FIXED_BYTES >= buffer.length) return 0;
    if (buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * HIGH !== nextSeq) return 0;
    at += 8;
    if (!matches(buffer, at, topic)) return 0;
    at += topic.length;
    const offsetHigh = buffer.readUInt32LE(at + 4);
    const timeHigh = buffer.readUInt32LE(at + 12);
    if (offsetHigh >= SAFE_HIGH || timeHigh >= SAFE_HIGH) return 0;
    const offset = buffer.readUInt32LE(at) + offsetHigh * HIGH;
    const timeMs = buffer.readUInt32LE(at + 8) + timeHigh * HIGH;
    if (offset <= lastOffset || buffer.readUInt16LE(at + 16) !== day || Math.floor(timeMs / DAY_MS) !== day)
      return 0;
    at += 18;
    if (!matches(buffer, at, kind)) return 0;
    at += kind.length;
    if (!matches(buffer, at, leaf)) return 0;
    const shaAt = at + HASH_BYTES;
    const leafAt = shaAt + HASH_BYTES;
    at = leafAt + HASH_BYTES;
    let length = 0;
    for (let scale = 1, byte = 0x80; byte >= 0x80; scale *= 128) {
      if (at >= buffer.length || scale > 2 ** 28) return 0;
      byte = buffer[at++] as number;
      length += (byte & 0x7f) * scale;
    }
    const end = at + length;
    if (end > buffer.length) return 0;
    // Of all forms of a hash the runtime makes text of one character a byte fastest.
    if (!isStored(hash('sha256', buffer.subarray(at, end), 'binary'), buffer, shaAt)) return 0;

    let size = putDecimal(nextSeq, preimageHead);
    size = putHex(leaf, 0, size);
    size = put(place, size);
    size = putDecimal(offset, size);
    size = putTime(timeMs, size);
    size = put(kindLine, size);
    size = putHex(buffer, shaAt, size);
    if (!isStored(hash('sha256', preimageOf(size), 'binary'), buffer, leafAt)) return 0;

    for (let index = 0; index < HASH_BYTES; index++) leaf[index] = buffer[leafAt + index] as number;
    tree?.appendAt(buffer, leafAt);
    nextSeq += 1;
    lastOffset = offset;
    count += 1;
    return end;
  }

  return {
    arm(row, end, grown) {
      isArmed =
        row.seq < SAFE_MAX && row.offset < SAFE_MAX && row.log.length < 1024 && row.topic.length < 512;
      if (!isArmed) return;
      if (row.log !== headLog) {
        headLog = row.log;
        const partition = Buffer.alloc(4);
        partition.writeUInt32LE(row.partition);
        head = Buffer.concat([stringOf(row.log), stringOf(row.tenant), partition]);
        topic = stringOf(row.topic);
        preimageHead = preimage.write(`\0${ENTRY_VERSION}\n${row.log}\n`, 'utf8');
        place = Buffer.from(`${row.topic}/${row.partition}/`);
      }
      kind = stringOf(row.kind);
      kindLine = Buffer.from(`${row.kind}\n`);
      leaf.write(row.leaf, 'hex');
      nextSeq = Number(row.seq) + 1;
      limit = end < SAFE_MAX ? Number(end) : Number.MAX_SAFE_INTEGER;
      lastOffset = Number(row.offset);
      day = row.day;
      tree = grown;
      count = 0;
    },
    disarm() {
      isArmed = false;
      count = 0;
    },
    follow,
    get count() {
      return count;
    },
    get offset() {
      return BigInt(lastOffset);
    },
    get leaf() {
      return leaf.toString('hex');
    },
  };
}

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** A String of RowBinary: its length in seven-bit groups, then its bytes. */
function stringOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) length.push((rest % 128) + 0x80);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}
