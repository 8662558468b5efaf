import { anchorLeaf, anchorOrigin } from '../../evidence/anchor-log/entry.ts';
import { leafHash } from '../../evidence/entry.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { rootFromInclusion } from '../../evidence/merkle/proofs.ts';
import { sameHash } from '../../evidence/merkle/tree-hash.ts';
import { NoteFormatError, parseNote, parseSignatures, type SignedNote } from '../../evidence/note/note.ts';
import { formatTlogProof } from '../../evidence/note/tlog-proof.ts';
import { formatEntryExtra, type EntryFacts, type ProvenEntry } from '../../evidence/receipt/entry-proof.ts';
import type { ReceiptProofs } from '../../evidence/receipt/verify-inclusion.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import {
  anchorEntryOf,
  anchorEvidence,
  firstCheckpointCovering,
  type StoredAnchorEntry,
  type StoredCheckpoint,
} from './checkpoints.ts';
import { readRows } from './clickhouse-store.ts';
import { readKeyHistory } from './key-rotations.ts';
import { anchorLogTree, dataLogTree } from './log-tree.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';

/** An anchor log's checkpoint with what witnesses added to it. */
interface AnchoredNote {
  readonly checkpoint: StoredCheckpoint;
  readonly note: SignedNote;
}

/**
 * Proves an entry from the store's trees: in its data log, and that log's checkpoint in the anchor log. `undefined` until
 * signed checkpoints cover the entry. Rejects with IntegrityError when the store contradicts what was signed.
 */
export async function proveEntry(
  raw: RawQuery,
  entry: ProvenEntry & { readonly facts: EntryFacts },
): Promise<(Required<Pick<ReceiptProofs, 'proof' | 'anchorProof'>> & ReceiptProofs) | undefined> {
  const { log, seq } = entry.facts;
  const origin = anchorOrigin(parseLogId(log)?.deployment ?? '');
  const head = await firstCheckpointCovering(raw, log, seq + 1n);
  const stated = head && (await anchorEntryOf(raw, origin, log, head.size));
  const anchored = stated && (await anchoredNote(raw, origin, stated.seq + 1n));
  if (head === undefined || stated === undefined || anchored === undefined) return undefined;
  const hashes = await dataLogTree(raw, log, origin).inclusionProof(seq, head.size);
  requireProof(Buffer.from(leafHash(entry.preimage), 'hex'), seq, head, hashes, log);
  const proof = formatTlogProof({
    extra: formatEntryExtra(entry),
    index: seq,
    hashes,
    checkpoint: readNote(head.note, log),
  });
  const before = await lastEntryBefore(raw, origin, log, seq);
  const { rotations } = await readKeyHistory(raw, origin, anchored.checkpoint.size);
  return {
    proof,
    anchorProof: await proveAnchorEntry(raw, origin, stated, anchored),
    ...(before === undefined || before.seq >= anchored.checkpoint.size
      ? {}
      : { beforeProof: await proveAnchorEntry(raw, origin, before, anchored) }),
    ...(rotations.length === 0 ? {} : { rotations: `${JSON.stringify(rotations, undefined, 2)}\n` }),
  };
}

async function proveAnchorEntry(
  raw: RawQuery,
  origin: string,
  { seq, body }: StoredAnchorEntry,
  { checkpoint, note }: AnchoredNote,
): Promise<string> {
  const hashes = await anchorLogTree(raw, origin).inclusionProof(seq, checkpoint.size);
  requireProof(anchorLeaf(body), seq, checkpoint, hashes, origin);
  return formatTlogProof({ extra: body, index: seq, hashes, checkpoint: note });
}

/** The checkpoint of at least this size that most witnesses cosigned; the smallest where none did. */
async function anchoredNote(raw: RawQuery, origin: string, size: bigint): Promise<AnchoredNote | undefined> {
  const lines = new Map<bigint, string[]>();
  for (const { type, evidence, size: at } of await anchorEvidence(raw, origin, size))
    if (type === 'cosignature') lines.set(at, [...(lines.get(at) ?? []), evidence]);
  const [best] = [...lines].sort(([, one], [, other]) => other.length - one.length);
  const checkpoint = await firstCheckpointCovering(raw, origin, best?.[0] ?? size);
  if (checkpoint === undefined) return undefined;
  const note = readNote(checkpoint.note, origin);
  const cosigned = best !== undefined && checkpoint.size === best[0] ? best[1] : [];
  return { checkpoint, note: { ...note, signatures: [...note.signatures, ...cosigned.flatMap(readLines)] } };
}

/** The anchor log's last statement of the log without the entry. */
async function lastEntryBefore(
  raw: RawQuery,
  origin: string,
  log: string,
  seq: bigint,
): Promise<StoredAnchorEntry | undefined> {
  const where = `origin = ${sqlString(origin)} AND type = 'checkpoint' AND log = ${sqlString(log)} AND size <= ${seq}`;
  const select = `SELECT seq, leaf, body FROM custody.anchor_entries WHERE ${where} ORDER BY size DESC, seq LIMIT 1`;
  const rows = readRows(raw, select, (read) => ({
    seq: read.uint64(),
    leaf: Buffer.from(read.hex(32), 'hex'),
    body: Uint8Array.from(read.bytes()),
  }));
  for await (const row of rows) return row;
  return undefined;
}

/** Whatever an anchor gave back that is no signature line is left out: it counts for nothing anyway. */
function readLines(line: string): SignedNote['signatures'] {
  try {
    return parseSignatures(line.endsWith('\n') ? line : `${line}\n`);
  } catch (error) {
    if (error instanceof NoteFormatError) return [];
    throw error;
  }
}

function readNote(text: string, log: string): SignedNote {
  try {
    return parseNote(text);
  } catch (cause) {
    if (!(cause instanceof NoteFormatError)) throw cause;
    throw new IntegrityError(`cannot prove an entry of ${log}: NOTE_SIGNATURE: its checkpoint was changed`, {
      cause,
    });
  }
}

function requireProof(
  leaf: Uint8Array,
  index: bigint,
  { size, root }: StoredCheckpoint,
  hashes: readonly Uint8Array[],
  log: string,
): void {
  const given = rootFromInclusion(leaf, index, size, hashes);
  if (given !== undefined && sameHash(given, root)) return;
  throw new IntegrityError(
    `cannot prove entry ${index} of ${log}: ROOT_MISMATCH: the store does not have the tree of ${size} entries that was signed`,
  );
}
