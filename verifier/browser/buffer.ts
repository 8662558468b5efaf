/** As much of Node's Buffer as the verifier uses, over Uint8Array. */
type Encoding = 'utf8' | 'hex' | 'base64';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class Buffer extends Uint8Array {
  static override from(
    source: string | ArrayLike<number> | ArrayBufferLike | Iterable<number>,
    encodingOrOffset?: unknown,
    length?: unknown,
  ): Buffer {
    if (typeof source === 'string')
      return wrap(bytesOf(source, (encodingOrOffset as Encoding | undefined) ?? 'utf8'));
    if (source instanceof ArrayBuffer)
      return new Buffer(source, (encodingOrOffset as number | undefined) ?? 0, length as number | undefined);
    const bytes = Uint8Array.from(source as ArrayLike<number>);
    return wrap(bytes);
  }

  static alloc(size: number): Buffer {
    return new Buffer(size);
  }

  static allocUnsafe(size: number): Buffer {
    return new Buffer(size);
  }

  static concat(parts: readonly Uint8Array[]): Buffer {
    const whole = new Buffer(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  static compare(a: Uint8Array, b: Uint8Array): number {
    const length = Math.min(a.length, b.length);
    for (let at = 0; at < length; at++) {
      const difference = (a[at] ?? 0) - (b[at] ?? 0);
      if (difference !== 0) return Math.sign(difference);
    }
    return Math.sign(a.length - b.length);
  }

  static byteLength(text: string): number {
    return encoder.encode(text).length;
  }

  equals(other: Uint8Array): boolean {
    return Buffer.compare(this, other) === 0;
  }

  override subarray(begin?: number, end?: number): Buffer {
    const part = super.subarray(begin, end);
    return new Buffer(part.buffer, part.byteOffset, part.byteLength);
  }

  override toString(encoding: Encoding = 'utf8'): string {
    if (encoding === 'utf8') return decoder.decode(this);
    if (encoding === 'hex') {
      let text = '';
      for (const byte of this) text += HEX[byte] ?? '';
      return text;
    }
    let binary = '';
    for (let at = 0; at < this.length; at += CHARS_PER_CALL)
      binary += String.fromCharCode(...super.subarray(at, at + CHARS_PER_CALL));
    return btoa(binary);
  }

  readBigUInt64BE(at = 0): bigint {
    return new DataView(this.buffer, this.byteOffset, this.byteLength).getBigUint64(at);
  }

  writeBigUInt64BE(value: bigint, at = 0): void {
    new DataView(this.buffer, this.byteOffset, this.byteLength).setBigUint64(at, value);
  }

  readUIntBE(at: number, length: number): number {
    let value = 0;
    for (const byte of super.subarray(at, at + length)) value = value * 256 + byte;
    return value;
  }
}

const CHARS_PER_CALL = 8192;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const wrap = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  new Buffer(buffer as ArrayBuffer, byteOffset, byteLength);

/** Like Node's, reads as far as the text is what the encoding allows; callers compare what comes back. */
function bytesOf(text: string, encoding: Encoding): Uint8Array {
  if (encoding === 'utf8') return encoder.encode(text);
  if (encoding === 'hex') {
    const pairs = /^(?:[0-9a-fA-F]{2})*/.exec(text)?.[0].match(/../g) ?? [];
    return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
  }
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
