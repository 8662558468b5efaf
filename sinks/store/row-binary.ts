import { TransientError } from '../../runtime/errors.ts';

/** Reads the columns of one RowBinary row in order. Bytes come from the store and may be hostile. */
export interface ColumnReader {
  string(): string;
  /** Bytes of a String column; a view that is valid until the next chunk. */
  bytes(): Buffer;
  hex(lengthBytes: number): string;
  uint8(): number;
  uint16(): number;
  uint32(): number;
  uint64(): bigint;
  int64(): bigint;
}

export interface RowReader<Row> {
  /** Rows completed by this chunk. */
  push(chunk: Uint8Array): Generator<Row>;
  /** @throws TransientError if the answer stopped inside a row. */
  end(): void;
}

/** Longest row taken; a length beyond it is a broken or hostile answer. */
const ROW_MAX_BYTES = 256 * 1024 * 1024;

/** Bytes of the next chunk that most rows between two chunks end within. */
const BRIDGE_BYTES = 16 * 1024;

/** Thrown inside a decode when the row continues in the next chunk. */
const INCOMPLETE = new RangeError('incomplete row');

/**
 * Splits a RowBinary byte stream into rows; memory is bounded by one chunk and one row. `skim` may handle a row where it
 * lies: it says where the row ends, or 0 to have it decoded.
 */
export function createRowReader<Row>(
  decode: (read: ColumnReader) => Row,
  skim?: (buffer: Buffer, at: number) => number,
): RowReader<Row> {
  let buffer: Buffer = Buffer.alloc(0);
  let at = 0;
  const take = (lengthBytes: number): number => {
    const start = at;
    if (start + lengthBytes > buffer.length) throw INCOMPLETE;
    at = start + lengthBytes;
    return start;
  };
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = buffer[take(1)] ?? 0;
      value += (byte & 0x7f) * shift;
      if (value > ROW_MAX_BYTES) {
        throw new TransientError('unavailable', `cannot read stored rows: a value of ${value} bytes`);
      }
      if (byte < 0x80) return value;
    }
  };
  const columns: ColumnReader = {
    string() {
      const length = varint();
      return buffer.toString('utf8', take(length), at);
    },
    bytes() {
      const length = varint();
      return buffer.subarray(take(length), at);
    },
    hex: (lengthBytes) => buffer.toString('hex', take(lengthBytes), at),
    uint8: () => buffer.readUInt8(take(1)),
    uint16: () => buffer.readUInt16LE(take(2)),
    uint32: () => buffer.readUInt32LE(take(4)),
    uint64: () => buffer.readBigUInt64LE(take(8)),
    int64: () => buffer.readBigInt64LE(take(8)),
  };
  /** The row at `at`, or `undefined` when it goes on in the next chunk; `at` is after it then, or where it was. */
  function next(): { readonly row: Row } | undefined {
    const start = at;
    if (start === buffer.length) return undefined;
    try {
      return { row: decode(columns) };
    } catch (error) {
      if (error !== INCOMPLETE) throw error;
      at = start;
      return undefined;
    }
  }

  /**
   * Goes over from what is left of the chunk before to the next one: the row between them is put together, the rest of the
   * new chunk is read where it lies.
   */
  function* bridge(fresh: Buffer): Generator<Row> {
    const left = buffer.subarray(at);
    for (let bytes = BRIDGE_BYTES; ; bytes *= 16) {
      buffer = Buffer.concat([left, fresh.subarray(0, bytes)]);
      at = skim?.(buffer, 0) ?? 0;
      if (at === 0) {
        const decoded = next();
        if (decoded !== undefined) yield decoded.row;
      }
      if (at > 0) break;
      if (bytes >= fresh.length) return;
    }
    at -= left.length;
    buffer = fresh;
  }

  return {
    *push(chunk) {
      const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (at < buffer.length) {
        yield* bridge(fresh);
        if (buffer !== fresh) return;
      } else {
        buffer = fresh;
        at = 0;
      }
      for (;;) {
        if (skim !== undefined) for (let end = skim(buffer, at); end !== 0; end = skim(buffer, at)) at = end;
        const decoded = next();
        if (decoded === undefined) return;
        yield decoded.row;
      }
    },
    end() {
      if (at < buffer.length) {
        throw new TransientError('unavailable', 'cannot read stored rows: the answer stopped inside a row');
      }
    },
  };
}
