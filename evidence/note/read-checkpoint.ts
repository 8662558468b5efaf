import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { NoteFormatError, parseNote, type SignedNote } from './note.ts';

/** A signed note that is a checkpoint; `reason` when the bytes are none. Reads attacker-controlled bytes. */
export function readCheckpointNote(
  bytes: Uint8Array | string,
): { readonly note: SignedNote; readonly checkpoint: Checkpoint } | { readonly reason: string } {
  try {
    const note = parseNote(bytes);
    const checkpoint = parseCheckpoint(note.text);
    return checkpoint === undefined ? { reason: 'it is no checkpoint' } : { note, checkpoint };
  } catch (error) {
    if (error instanceof NoteFormatError) return { reason: error.message };
    throw error;
  }
}
