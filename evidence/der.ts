/**
 * DER (ITU-T X.690), as much of it as timestamp tokens and certificates need. A value is read one level at a time and
 * only where the caller expects one, so that hostile nesting costs nothing.
 */
export interface DerValue {
  /** The identifier octet: class, constructed bit and number below 31. */
  readonly tag: number;
  readonly content: Buffer;
  /** Identifier, length and content, as they came: what is hashed and signed. */
  readonly whole: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag [n], constructed or primitive. */
export const contextTag = (number: number, isConstructed = true): number =>
  (isConstructed ? 0xa0 : 0x80) + number;

/** Why bytes are not the DER that was expected. */
export class DerError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'DerError';
  }
}

/** The one value that fills the bytes. Reads attacker-controlled bytes; throws a DerError. */
export function readDer(bytes: Uint8Array, tag?: number): DerValue {
  const [value, ...more] = readValues(bytes);
  if (value === undefined || more.length > 0) throw new DerError('not one DER value');
  return tag === undefined ? value : expectTag(value, tag);
}

/** The values inside of a constructed one, or of the content of an octet string. Throws a DerError. */
export function readValues(content: Uint8Array): DerValue[] {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const values: DerValue[] = [];
  let at = 0;
  while (at < bytes.length) {
    const value = readAt(bytes, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/** The values inside of a value of this tag. */
export const childrenOf = (value: DerValue | undefined, tag: number): DerValue[] =>
  readValues(expectTag(value, tag).content);

export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag !== tag) throw new DerError(`a value with tag ${tag} is missing`);
  return value;
}

/** Walks over a sequence whose fields may be left out. */
export function fieldsOf(values: readonly DerValue[]) {
  let at = 0;
  return {
    /** The next field, which must be there. */
    take(tag: number): DerValue {
      const value = expectTag(values[at], tag);
      at += 1;
      return value;
    },
    /** The next field if it has this tag. */
    takeIf(tag: number): DerValue | undefined {
      const value = values[at];
      if (value?.tag !== tag) return undefined;
      at += 1;
      return value;
    },
    end(): void {
      if (at !== values.length) throw new DerError('there is more than expected');
    },
  };
}

/** Dotted form of an object identifier. */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, TAG.oid);
  const arcs: bigint[] = [];
  let arc = 0n;
  // No identifier in use is longer, and decimal text of long numbers is slow.
  if (content.length > 64) throw new DerError('an object identifier is too long');
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [first] = arcs;
  if (first === undefined || (content.at(-1) ?? 0) >= 0x80) throw new DerError('no object identifier');
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...arcs.slice(1)].join('.');
}

/** A non-negative integer, at most 64 bytes long. */
export function readInteger(value: DerValue | undefined): bigint {
  const { content } = expectTag(value, TAG.integer);
  const [first = 0x80, second = 0] = content;
  const isPadded = first === 0 && content.length > 1 && second < 0x80;
  if (first >= 0x80 || isPadded || content.length > 64)
    throw new DerError('no integer that is expected here');
  return BigInt(`0x${content.toString('hex')}`);
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/;

/** UTCTime or GeneralizedTime with seconds, in UTC, as milliseconds since the epoch. */
export function readTime(value: DerValue | undefined): number {
  const text = value?.content.toString('latin1') ?? '';
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = ''] =
    TIME.exec(value?.tag === TAG.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text) ??
    [];
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if ((value?.tag !== TAG.utcTime && value?.tag !== TAG.generalizedTime) || Number.isNaN(timeMs))
    throw new DerError('no time');
  return timeMs + Number(fraction.padEnd(3, '0').slice(0, 3));
}

/** Bytes of a bit string without unused bits. */
export function readBits(value: DerValue | undefined): Buffer {
  const { content } = expectTag(value, TAG.bitString);
  if (content[0] !== 0) throw new DerError('a bit string has unused bits');
  return content.subarray(1);
}

export function writeDer(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex');
  if (length > 0xffff) throw new RangeError('values of more than 64 KiB are not written');
  return Buffer.concat([Buffer.from([tag, 0x80 + digits.length]), digits, content]);
}

/** A non-negative integer from its big-endian bytes. */
export function writeInteger(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from += 1;
  const digits = bytes.subarray(from);
  return writeDer(TAG.integer, (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.of(), digits);
}

/** identifier 1 · length: one octet below 128, else 128 + count and that many octets, as few as possible · content */
function readAt(bytes: Buffer, at: number): DerValue {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerError('a value is cut off');
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag is too large');
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  const begin = at + 2 + lengthBytes;
  if (first === 0x80 || lengthBytes > 4) throw new DerError('a length is not definite or too large');
  if (begin > bytes.length) throw new DerError('a value is cut off');
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
  const shortest = lengthBytes === 0 ? 0 : lengthBytes === 1 ? 0x80 : 2 ** (8 * (lengthBytes - 1));
  if (length < shortest) throw new DerError('a length is not written in the shortest form');
  const end = begin + length;
  if (end > bytes.length) throw new DerError('a value is cut off');
  return { tag, content: bytes.subarray(begin, end), whole: bytes.subarray(at, end) };
}
