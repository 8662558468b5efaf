import { anchorLeaf } from '../../evidence/anchor-log/entry.ts';
import { sameHash } from '../../evidence/merkle/tree-hash.ts';
import { IntegrityError, TransientError } from '../../runtime/errors.ts';
import type { StoredAnchorEvidence } from './checkpoints.ts';
import { readRows } from './clickhouse-store.ts';
import { sqlString } from './sql-text.ts';
import type { Publication, RawQuery } from './store.ts';

type Value = string | number | bigint | Uint8Array;

/** Inserts rows into one table, as one block. */
export type InsertRows = (
  table: string,
  columns: readonly string[],
  rows: readonly (readonly Value[])[],
) => Promise<void>;

/** Places named in one statement. */
const CHUNK = 1000;

/**
 * Adds what is missing of a publication and reads it back. A crash in the middle is repaired by the next call with the same
 * publication: what is there already is compared, never added twice.
 */
export async function publishTo(raw: RawQuery, insert: InsertRows, publication: Publication): Promise<void> {
  const missing = await missingOf(raw, publication);
  const { origin, entries, checkpoints, subtrees } = missing;
  if (entries.length > 0) {
    const rows = entries.map(({ seq, body }) => [origin, seq, body, anchorLeaf(body)]);
    await insert('custody.anchor_entries', ['origin', 'seq', 'body', 'leaf'], rows);
  }
  if (subtrees.length > 0) {
    const rows = subtrees.map(({ log, level, index, hash }) => [log, level, index, hash]);
    await insert('custody.subtrees', ['log', 'level', 'place', 'hash'], rows);
  }
  // Last: whoever sees a checkpoint finds what it covers.
  if (checkpoints.length > 0) {
    const rows = checkpoints.map(({ origin: log, size, root, timeMs, note }) => [
      log,
      size,
      root,
      timeMs,
      note,
    ]);
    await insert('custody.checkpoints', ['origin', 'size', 'root', 'time_ms', 'note'], rows);
  }
  const left = await missingOf(raw, publication);
  if (left.entries.length + left.checkpoints.length + left.subtrees.length > 0)
    throw new TransientError(
      'unavailable',
      'cannot publish checkpoints: the store accepted rows and has none',
    );
}

/** What of a publication the store does not have. @throws IntegrityError where it has something else. */
async function missingOf(raw: RawQuery, publication: Publication): Promise<Publication> {
  const { origin, entries, checkpoints, subtrees } = publication;
  const have = new Map<string, string>();
  const note = async (table: string, select: string) => {
    for await (const { place, hash } of readRows(raw, select, (read) => ({
      place: read.string(),
      hash: read.hex(32),
    })))
      have.set(`${table} ${place}`, hash);
  };
  for (const some of chunks(entries)) {
    const seqs = some.map(({ seq }) => seq).join();
    await note(
      'entry',
      `SELECT toString(seq), leaf FROM custody.anchor_entries WHERE origin = ${sqlString(origin)} AND seq IN (${seqs})`,
    );
  }
  for (const some of chunks(checkpoints)) {
    const places = some.map(({ origin: log, size }) => `(${sqlString(log)},${size})`).join();
    await note(
      'checkpoint',
      `SELECT concat(toString(origin), ' ', toString(size)), root FROM custody.checkpoints WHERE (origin, size) IN (${places})`,
    );
  }
  for (const some of chunks(subtrees)) {
    const places = some.map(({ log, level, index }) => `(${sqlString(log)},${level},${index})`).join();
    await note(
      'subtree',
      `SELECT concat(toString(log), ' ', toString(level), ' ', toString(place)), hash FROM custody.subtrees WHERE (log, level, place) IN (${places})`,
    );
  }
  const isMissing = (name: string, hash: Uint8Array): boolean => {
    const found = have.get(name);
    if (found === undefined) return true;
    if (sameHash(Buffer.from(found, 'hex'), hash)) return false;
    throw new IntegrityError(`cannot publish ${name}: SPLIT_VIEW: the store holds another`);
  };
  return {
    origin,
    entries: entries.filter(({ seq, body }) => isMissing(`entry ${seq}`, anchorLeaf(body))),
    checkpoints: checkpoints.filter(({ origin: log, size, root }) =>
      isMissing(`checkpoint ${log} ${size}`, root),
    ),
    subtrees: subtrees.filter(({ log, level, index, hash }) =>
      isMissing(`subtree ${log} ${level} ${index}`, hash),
    ),
  };
}

/** Adds what anchors gave back; a copy after a lost answer does no harm. */
export async function insertAnchorEvidence(
  insert: InsertRows,
  origin: string,
  evidence: readonly StoredAnchorEvidence[],
): Promise<void> {
  if (evidence.length === 0) return;
  const rows = evidence.map((each) => [
    origin,
    each.size,
    each.anchor,
    each.type,
    each.timeMs,
    each.evidence,
  ]);
  await insert('custody.anchor_evidence', ['origin', 'size', 'anchor', 'type', 'time_ms', 'evidence'], rows);
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += CHUNK) yield items.slice(at, at + CHUNK);
}
