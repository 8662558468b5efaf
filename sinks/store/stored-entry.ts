import type { RawEntry } from '../../evidence/raw-entry.ts';
import type { ColumnReader } from './row-binary.ts';

/** Columns of a stored entry in the order `decodeStoredEntry` reads them. */
export const ENTRY_COLUMNS =
  'log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body';

/** Decodes one stored row as it is, judging nothing; `body` is a view that is valid until the next chunk. */
export function decodeStoredEntry(read: ColumnReader): RawEntry {
  return {
    log: read.string(),
    tenant: read.string(),
    partition: read.uint32(),
    seq: read.uint64(),
    topic: read.string(),
    offset: read.uint64(),
    appendTimeMs: read.int64(),
    day: read.uint16(),
    kind: read.string(),
    prev: read.hex(32),
    bodySha: read.hex(32),
    leaf: read.hex(32),
    body: read.bytes(),
  };
}
