import { parseAnchorEntry } from '../../evidence/anchor-log/entry.ts';
import type { RotationProof } from '../../evidence/anchor-log/rotation-proof.ts';
import {
  formatNote,
  type NoteSignature,
  NoteFormatError,
  parseNote,
  parseSignatures,
} from '../../evidence/note/note.ts';
import { firstCheckpointCovering, readAnchorEntries } from './checkpoints.ts';
import { readRows } from './clickhouse-store.ts';
import { anchorLogTree } from './log-tree.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';

/** How the notary's key changed, as the store has it; nothing about it is checked. */
export interface KeyHistory {
  /** Keys that the anchor log names, first to last. */
  readonly keys: readonly string[];
  /** Changes that a stored checkpoint covers, oldest first. */
  readonly rotations: readonly RotationProof[];
}

const COSIGNATURES_MAX = 64;

/** Reads what the first `size` entries of an anchor log say of keys, each change with its proof. */
export async function readKeyHistory(raw: RawQuery, origin: string, size: bigint): Promise<KeyHistory> {
  const tree = anchorLogTree(raw, origin);
  const keys: string[] = [];
  const rotations: RotationProof[] = [];
  let last = -1n;
  for await (const { seq, body } of readAnchorEntries(raw, origin, { types: ['genesis', 'key_rotated'] })) {
    const entry = parseAnchorEntry(body);
    // A retried insert gives an entry twice.
    if (entry === undefined || seq >= size || seq === last) continue;
    last = seq;
    if (entry.type === 'genesis') keys.push(entry.verifier_key);
    if (entry.type !== 'key_rotated') continue;
    keys.push(entry.new);
    const covering = await firstCheckpointCovering(raw, origin, seq + 1n);
    if (covering === undefined) continue;
    const hashes = await tree.inclusionProof(seq, covering.size);
    rotations.push({
      seq: String(seq),
      entry: Buffer.from(body).toString('utf8'),
      size: String(covering.size),
      hashes: hashes.map((hash) => Buffer.from(hash).toString('hex')),
      note: await withCosignatures(raw, origin, covering.size, covering.note),
    });
  }
  return { keys, rotations };
}

/** Witnesses vouch for a change that a stolen key signed; what is no signature line vouches for nothing. */
async function withCosignatures(raw: RawQuery, origin: string, size: bigint, text: string): Promise<string> {
  const select = `SELECT DISTINCT evidence FROM custody.anchor_evidence WHERE origin = ${sqlString(origin)} AND size = ${size} AND type = 'cosignature' ORDER BY evidence LIMIT ${COSIGNATURES_MAX}`;
  const lines: NoteSignature[] = [];
  for await (const evidence of readRows(raw, select, (read) => read.string()))
    lines.push(...linesOf(evidence));
  if (lines.length === 0) return text;
  try {
    const note = parseNote(text);
    return formatNote({ ...note, signatures: [...note.signatures, ...lines] });
  } catch (error) {
    if (error instanceof NoteFormatError) return text;
    throw error;
  }
}

function linesOf(evidence: string): readonly NoteSignature[] {
  try {
    return parseSignatures(evidence.endsWith('\n') ? evidence : `${evidence}\n`);
  } catch (error) {
    if (error instanceof NoteFormatError) return [];
    throw error;
  }
}
