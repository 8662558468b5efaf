import { sameHash } from '../../evidence/merkle/tree-hash.ts';
import { parseCheckpoint } from '../../evidence/note/checkpoint.ts';
import { NoteFormatError, parseNote, type SignedNote } from '../../evidence/note/note.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import type { AnchoredCheckpoint } from '../anchor.ts';

/** A checkpoint that an anchor has, with its note. Nobody has looked at the note's signatures. */
export interface Held {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly note: SignedNote;
}

/**
 * Whether the checkpoint is there already, when `held` is the largest that is. An anchor that has a later one, or another
 * of that size, has seen another history.
 * @throws IntegrityError
 */
export function isHeld(
  place: string,
  held: Pick<Held, 'size' | 'root'> | undefined,
  { size, root }: AnchoredCheckpoint,
): boolean {
  if (held === undefined || held.size < size) return false;
  if (held.size > size) {
    throw new IntegrityError(
      `cannot anchor checkpoint of size ${size}: ${place} has one of size ${held.size}, so this log has gone back`,
    );
  }
  if (!sameHash(held.root, root)) throw otherTree(place, size);
  return true;
}

export const otherTree = (place: string, size: bigint): IntegrityError =>
  new IntegrityError(`cannot anchor checkpoint of size ${size}: ${place} has another tree of that size`);

/** Text of a note as the checkpoint of this log; `undefined` for anything else. Reads attacker-controlled text. */
export function readHeld(origin: string, text: string | Uint8Array): Held | undefined {
  try {
    const note = parseNote(text);
    const checkpoint = parseCheckpoint(note.text);
    return checkpoint?.origin === origin ? { size: checkpoint.size, root: checkpoint.root, note } : undefined;
  } catch (error) {
    if (error instanceof NoteFormatError) return undefined;
    throw error;
  }
}
