import { isConsistent, type TreeHead } from './merkle/proofs.ts';
import { EMPTY_ROOT, sameHash } from './merkle/tree-hash.ts';
import { hashFromBase64 } from './note/base64.ts';
import { parseCheckpoint, parseSize } from './note/checkpoint.ts';
import { verifiedBy, type VerifierKey } from './note/key.ts';
import { NoteFormatError, parseNote, type SignedNote, strictText } from './note/note.ts';

/** `add-checkpoint` of C2SP tlog-witness. */
export interface AddCheckpoint {
  /** Size of the tree the proof leads from: the last one this witness signed, as the caller believes. */
  readonly oldSize: bigint;
  readonly proof: readonly Uint8Array[];
  readonly note: SignedNote;
}

const MAX_HASHES = 63;

/** Reads an attacker-controlled body. Throws a NoteFormatError. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const text = strictText(body);
  const split = text.indexOf('\n\n');
  if (split < 0) throw new NoteFormatError('no blank line comes before the checkpoint');
  const [old = '', ...lines] = text.slice(0, split).split('\n');
  const oldSize = old.startsWith('old ') ? parseSize(old.slice(4)) : undefined;
  if (oldSize === undefined) throw new NoteFormatError('it does not begin with the old size');
  if (lines.length > MAX_HASHES)
    throw new NoteFormatError('the proof has more hashes than a tree has levels');
  const proof = lines.map((line) => {
    const hash = hashFromBase64(line);
    if (hash === undefined) throw new NoteFormatError('a hash of the proof is not 32 bytes in base64');
    return hash;
  });
  return { oldSize, proof, note: parseNote(text.slice(split + 2)) };
}

export function formatAddCheckpoint(oldSize: bigint, proof: readonly Uint8Array[], note: string): string {
  const hashes = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `old ${oldSize}\n${hashes.join('')}\n${note}`;
}

/** What a witness answers; the numbers are the protocol's HTTP statuses. */
export type WitnessDecision =
  | { readonly status: 200; readonly origin: string; readonly head: TreeHead }
  /**
   * Not from the tree this witness signed last, of that size. `isSplit`: the log has signed another tree of that size, and
   * the two notes prove it.
   */
  | { readonly status: 409; readonly size: bigint; readonly reason: string; readonly isSplit: boolean }
  /** 422: the proof is bad, which anybody can make of an honest checkpoint. */
  | { readonly status: 400 | 403 | 404 | 422; readonly reason: string };

/** The note with one signature for each key that is known, and no other: what strangers added is theirs. */
export function signedByKnown({ text, signatures }: SignedNote, keys: readonly VerifierKey[]): SignedNote {
  const known = keys.flatMap(
    ({ name, keyId }) => signatures.find((each) => each.name === name && each.keyId === keyId) ?? [],
  );
  return { text, signatures: known };
}

/**
 * Whether a witness may sign the checkpoint: a known log signed it, and it leads on from the largest tree this witness has
 * signed for that log. `latest` must stay what it is until the new head is stored, or two requests could roll it back.
 */
export function decideCheckpoint(
  { oldSize, proof, note }: AddCheckpoint,
  logs: readonly VerifierKey[],
  latest: (origin: string) => TreeHead | undefined,
): WitnessDecision {
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint === undefined) return { status: 400, reason: 'the note is no checkpoint' };
  const { origin, size, root } = checkpoint;
  const keys = logs.filter(({ name }) => name === origin);
  if (keys.length === 0) return { status: 404, reason: 'the log is not known here' };
  const { by, bad } = verifiedBy(note, keys);
  if (bad !== undefined || by.length === 0) return { status: 403, reason: 'the log has not signed it' };
  if (oldSize > size) return { status: 400, reason: 'the old size is larger than the checkpoint' };
  const last = latest(origin) ?? { size: 0n, root: EMPTY_ROOT };
  const isSplit = size === last.size && !sameHash(root, last.root);
  if (oldSize !== last.size || isSplit) {
    const reason = isSplit ? 'the tree of that size is another' : 'the old size is another';
    return { status: 409, size: last.size, reason, isSplit };
  }
  const leadsOn = last.size === 0n || isConsistent(last, checkpoint, proof);
  if (!leadsOn || (last.size === 0n && proof.length > 0))
    return { status: 422, reason: 'the proof does not lead from the old tree to this one' };
  return { status: 200, origin, head: { size, root } };
}
