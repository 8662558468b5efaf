import { type Verified, type VerifierKey, verifiedBy } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';

/** Witnesses known from outside, and how many of them must have cosigned. */
export interface WitnessQuorum {
  readonly quorum: number;
  readonly keys: readonly VerifierKey[];
}

/** Witnesses whose cosignature verifies. A forged line counts as none: anybody can add one. */
export function cosignersOf(note: SignedNote, witnesses: WitnessQuorum | undefined): readonly Verified[] {
  return (witnesses?.keys ?? []).flatMap((key) => verifiedBy(note, [key]).by);
}

/** Whether a quorum is asked for and has cosigned. */
export const hasQuorum = (note: SignedNote, witnesses: WitnessQuorum | undefined): boolean =>
  witnesses !== undefined && cosignersOf(note, witnesses).length >= witnesses.quorum;
