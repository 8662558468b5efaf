import { createRowReader } from '../../sinks/store/row-binary.ts';

/** An event as the store holds it. */
export interface StoredRow {
  readonly partition: number;
  readonly offset: bigint;
  readonly appendTimeMs: number;
  /** JSON text; a view that is valid until the next row. */
  readonly body: Buffer;
}

/** Columns in the order `readRows` takes them; the answer is RowBinary, so that a body is parsed once. */
export const ROW_COLUMNS = 'kpart, koffset, kts_ms, body';

/** Rows of whole answers. */
export function* readRows(bytes: Uint8Array): Generator<StoredRow> {
  const reader = createRowReader((read) => ({
    partition: read.uint32(),
    offset: read.uint64(),
    appendTimeMs: Number(read.int64()),
    body: read.bytes(),
  }));
  yield* reader.push(bytes);
  reader.end();
}
