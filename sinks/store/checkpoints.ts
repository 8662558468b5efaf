import { readRows } from './clickhouse-store.ts';
import type { ColumnReader } from './row-binary.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';

/** A signed checkpoint as the store has it; nothing about it is checked. */
export interface StoredCheckpoint {
  readonly origin: string;
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly timeMs: number;
  /** The note as signed, without cosignatures. */
  readonly note: string;
}

/** An entry of the anchor log as the store has it; nothing about it is checked. */
export interface StoredAnchorEntry {
  readonly seq: bigint;
  readonly body: Uint8Array;
  readonly leaf: Uint8Array;
}

/** What an anchor gave back for a checkpoint. */
export interface StoredAnchorEvidence {
  readonly size: bigint;
  readonly anchor: string;
  readonly type: string;
  /** Signature line, token in base64, or a place. */
  readonly evidence: string;
  readonly timeMs: number;
}

const CHECKPOINT_COLUMNS = 'origin, size, root, time_ms, note';

function decodeCheckpoint(read: ColumnReader): StoredCheckpoint {
  return {
    origin: read.string(),
    size: read.uint64(),
    root: Buffer.from(read.hex(32), 'hex'),
    timeMs: Number(read.int64()),
    note: read.string(),
  };
}

/** The largest checkpoint of a log. */
export async function newestCheckpoint(raw: RawQuery, origin: string): Promise<StoredCheckpoint | undefined> {
  return first(raw, `origin = ${sqlString(origin)} ORDER BY size DESC`);
}

/** The smallest checkpoint of at least this size. */
export async function firstCheckpointCovering(
  raw: RawQuery,
  origin: string,
  size: bigint,
): Promise<StoredCheckpoint | undefined> {
  return first(raw, `origin = ${sqlString(origin)} AND size >= ${size} ORDER BY size`);
}

async function first(raw: RawQuery, condition: string): Promise<StoredCheckpoint | undefined> {
  const select = `SELECT ${CHECKPOINT_COLUMNS} FROM custody.checkpoints WHERE ${condition} LIMIT 1`;
  let found: StoredCheckpoint | undefined;
  for await (const row of readRows(raw, select, decodeCheckpoint)) found = row;
  return found;
}

/** Every checkpoint of a log from a size on, smallest first; a retried insert gives one twice. */
export function readCheckpoints(
  raw: RawQuery,
  origin: string,
  fromSize = 0n,
): AsyncIterable<StoredCheckpoint> {
  const where = `origin = ${sqlString(origin)} AND size >= ${fromSize}`;
  return readRows(
    raw,
    `SELECT ${CHECKPOINT_COLUMNS} FROM custody.checkpoints WHERE ${where} ORDER BY size`,
    decodeCheckpoint,
  );
}

/** Entries of an anchor log in order, all or only some types; a retried insert gives one twice. */
export function readAnchorEntries(
  raw: RawQuery,
  origin: string,
  { from = 0n, types }: { readonly from?: bigint; readonly types?: readonly string[] } = {},
): AsyncIterable<StoredAnchorEntry> {
  const ofTypes = types === undefined ? '' : ` AND type IN (${types.map(sqlString).join()})`;
  const where = `origin = ${sqlString(origin)} AND seq >= ${from}${ofTypes}`;
  return readRows(
    raw,
    `SELECT seq, leaf, body FROM custody.anchor_entries WHERE ${where} ORDER BY seq`,
    decodeAnchorEntry,
  );
}

/** The anchor log's entry that states the data log's checkpoint of this size. */
export async function anchorEntryOf(
  raw: RawQuery,
  origin: string,
  log: string,
  size: bigint,
): Promise<StoredAnchorEntry | undefined> {
  const where = `origin = ${sqlString(origin)} AND type = 'checkpoint' AND log = ${sqlString(log)} AND size = ${size}`;
  const select = `SELECT seq, leaf, body FROM custody.anchor_entries WHERE ${where} ORDER BY seq LIMIT 1`;
  let found: StoredAnchorEntry | undefined;
  for await (const row of readRows(raw, select, decodeAnchorEntry)) found = row;
  return found;
}

function decodeAnchorEntry(read: ColumnReader): StoredAnchorEntry {
  const seq = read.uint64();
  const leaf = Buffer.from(read.hex(32), 'hex');
  return { seq, leaf, body: Uint8Array.from(read.bytes()) };
}

/** What each anchor gave back for the smallest checkpoint of at least this size that it holds. */
export async function anchorEvidence(
  raw: RawQuery,
  origin: string,
  size: bigint,
): Promise<StoredAnchorEvidence[]> {
  const found = new Map<string, StoredAnchorEvidence>();
  const where = `origin = ${sqlString(origin)} AND size >= ${size}`;
  const rows = readRows(
    raw,
    `SELECT size, anchor, type, evidence, time_ms FROM custody.anchor_evidence WHERE ${where} ORDER BY size DESC`,
    (read) => ({
      size: read.uint64(),
      anchor: read.string(),
      type: read.string(),
      evidence: read.string(),
      timeMs: Number(read.int64()),
    }),
  );
  for await (const row of rows) found.set(row.anchor, row);
  return [...found.values()];
}
