import { InputError } from '../../runtime/errors.ts';
import type { DecodeLimits } from './limits.ts';

/**
 * Protobuf wire format, the part OTLP needs. Every function here reads attacker-controlled bytes: each checks its
 * bounds, none recurses, none allocates by a length it has not seen backed by bytes.
 *
 *   message = *( tag value )      tag = varint( field-number << 3 | wire-type )
 *   wire-type 0 varint   1 fixed64   2 length-delimited: varint length, bytes   5 fixed32
 *   3 and 4 (groups, deprecated since proto2) are refused; a known field with another wire type than its own is
 *   skipped like an unknown one, as the reference parsers do.
 */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

const STRING_CACHE_SLOTS = 256;
const STRING_CACHE_MAX_BYTES = 48;

/** State of one decode: a cursor over the whole request, narrowed to the message being read. */
export interface Reading {
  readonly bytes: Buffer;
  readonly limits: DecodeLimits;
  pos: number;
  /** End of the innermost message. */
  end: number;
  /** Values that may still be read in nested places of the current record. */
  nestedValuesLeft: number;
  /** Attributes and values of the current record that were skipped for a limit. */
  droppedCount: number;
  /** Short strings by a hash of four bytes: attribute names repeat, and making a string costs more than comparing. */
  readonly cachePlace: Int32Array;
  readonly cacheText: string[];
}

/** Starts a decode of the whole buffer. */
export function startReading(body: Uint8Array, limits: DecodeLimits): Reading {
  return {
    bytes: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    limits,
    pos: 0,
    end: body.byteLength,
    nestedValuesLeft: limits.nestedValueMaxCount,
    droppedCount: 0,
    cachePlace: new Int32Array(STRING_CACHE_SLOTS),
    cacheText: new Array<string>(STRING_CACHE_SLOTS).fill(''),
  };
}

/** An error about the encoding itself; the decoders add the path. */
export function wireError(reason: string): InputError {
  return new InputError('input_invalid', `cannot decode the protobuf message: ${reason}`);
}

/** Reads a varint of at most 10 bytes as an unsigned number; beyond 2^53 the value is only approximately right. */
export function readVarint(r: Reading): number {
  const { bytes, end } = r;
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    if (r.pos >= end) throw wireError('it ends inside a varint');
    const byte = bytes[r.pos++] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw wireError('a varint is longer than 10 bytes');
}

/** Reads an int64 as a number where that is exact, as a bigint elsewhere. */
export function readInt64(r: Reading): number | bigint {
  const start = r.pos;
  const approximate = readVarint(r);
  if (approximate <= Number.MAX_SAFE_INTEGER) return approximate;
  let exact = 0n;
  for (let pos = r.pos - 1; pos >= start; pos--) {
    exact = (exact << 7n) | BigInt((r.bytes[pos] as number) & 0x7f);
  }
  const signed = BigInt.asIntN(64, exact);
  const small = signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER);
  return small ? Number(signed) : signed;
}

/** Reads an int32, uint32 or enum: the low 32 bits, as protobuf truncates. */
export function readUint32(r: Reading): number {
  const value = readInt64(r);
  return typeof value === 'number' ? (value % 4294967296) >>> 0 : Number(BigInt.asUintN(32, value));
}

/** Reads a field tag; 0 is never a valid one. */
export function readTag(r: Reading): number {
  const first = r.bytes[r.pos];
  if (first !== undefined && first < 0x80 && first > 7) {
    r.pos++;
    return first;
  }
  const tag = readVarint(r);
  if (tag < 8 || tag > 0xffffffff) throw wireError('a field number is out of range');
  return tag;
}

/** Reads a length and checks that so many bytes are there. */
export function readLength(r: Reading): number {
  const length = readVarint(r);
  if (length > r.end - r.pos) throw wireError('a length points behind the end of its message');
  return length;
}

/** Narrows the cursor to the length-delimited message that follows; returns the outer end for `closeMessage`. */
export function openMessage(r: Reading): number {
  const length = readLength(r);
  const outerEnd = r.end;
  r.end = r.pos + length;
  return outerEnd;
}

export function closeMessage(r: Reading, outerEnd: number): void {
  r.pos = r.end;
  r.end = outerEnd;
}

/** Skips the value of a field nobody here knows. */
export function skipField(r: Reading, tag: number): void {
  switch (tag & 7) {
    case VARINT:
      readVarint(r);
      return;
    case FIXED64:
      advance(r, 8);
      return;
    case BYTES:
      advance(r, readLength(r));
      return;
    case FIXED32:
      advance(r, 4);
      return;
    default:
      throw wireError(`wire type ${tag & 7} is not supported`);
  }
}

function advance(r: Reading, count: number): number {
  const start = r.pos;
  if (count > r.end - start) throw wireError('it ends inside a value');
  r.pos = start + count;
  return start;
}

export function readFixed32(r: Reading): number {
  return r.bytes.readUInt32LE(advance(r, 4));
}

export function readDouble(r: Reading): number {
  return r.bytes.readDoubleLE(advance(r, 8));
}

/** Reads a fixed64 as a decimal string. */
export function readFixed64Decimal(r: Reading): string {
  const start = advance(r, 8);
  return decimalUint64(r.bytes.readUInt32LE(start), r.bytes.readUInt32LE(start + 4));
}

/** Writes a 64-bit number given as two unsigned halves in decimal; long division, several times faster than BigInt. */
export function decimalUint64(low: number, high: number): string {
  if (high < 0x200000) return String(high * 4294967296 + low);
  const quotientTop = Math.floor(high / 1e9);
  let rest = (high - quotientTop * 1e9) * 65536 + (low >>> 16);
  const quotientMiddle = Math.floor(rest / 1e9);
  rest = (rest - quotientMiddle * 1e9) * 65536 + (low & 0xffff);
  const quotientLow = Math.floor(rest / 1e9);
  rest -= quotientLow * 1e9;
  const quotient = quotientTop * 4294967296 + quotientMiddle * 65536 + quotientLow;
  return quotient === 0 ? String(rest) : String(quotient) + String(1e9 + rest).slice(1);
}

/** Reads bytes as lower-case hex. At most `maxBytes` are turned into text; more is marked by the longer length. */
export function readHex(r: Reading, maxBytes: number): string {
  const length = readLength(r);
  const start = advance(r, length);
  return r.bytes.toString('hex', start, start + Math.min(length, maxBytes));
}

/** Copies bytes out of the request, so that a record does not keep the whole request alive. */
export function readBytes(r: Reading): Uint8Array {
  const length = readLength(r);
  const start = advance(r, length);
  return new Uint8Array(r.bytes.subarray(start, start + Math.min(length, r.limits.stringMaxBytes)));
}

/** Reads a string: invalid UTF-8 becomes U+FFFD, a string over the limit is cut between characters. */
export function readString(r: Reading): string {
  const length = readLength(r);
  const start = advance(r, length);
  if (length === 0) return '';
  if (length <= STRING_CACHE_MAX_BYTES) return cachedString(r, start, length);
  if (length <= r.limits.stringMaxBytes) return r.bytes.toString('utf8', start, start + length);
  return r.bytes.toString('utf8', start, characterBoundary(r.bytes, start, start + r.limits.stringMaxBytes));
}

/** The last position up to `end` that does not split a UTF-8 sequence. */
export function characterBoundary(bytes: Uint8Array, start: number, end: number): number {
  let cut = end;
  while (cut > start && cut > end - 3 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut--;
  return cut;
}

function cachedString(r: Reading, start: number, length: number): string {
  const { bytes } = r;
  const end = start + length;
  const slot =
    (length * 37 +
      (bytes[start] as number) * 11 +
      (bytes[end - 1] as number) * 53 +
      (bytes[start + (length >> 1)] as number) * 151 +
      (bytes[end - ((length + 3) >> 2)] as number) * 89) &
    (STRING_CACHE_SLOTS - 1);
  // A place is position * 64 + length; positions from 2^25 on do not fit and are not remembered.
  const place = r.cachePlace[slot] as number;
  if ((place & 63) === length && sameBytes(bytes, place >>> 6, start, length))
    return r.cacheText[slot] as string;
  const text = bytes.toString('utf8', start, end);
  if (start < 1 << 25) {
    r.cachePlace[slot] = (start << 6) | length;
    r.cacheText[slot] = text;
  }
  return text;
}

function sameBytes(bytes: Uint8Array, left: number, right: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[left + i] !== bytes[right + i]) return false;
  return true;
}
