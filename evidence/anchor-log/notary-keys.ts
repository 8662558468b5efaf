import { formatVerifierKey, verifiedBy, type VerifierKey } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';

/** A key of the notary and the tree sizes of the anchor log for which its checkpoints count. */
export interface NotaryKey {
  readonly key: VerifierKey;
  readonly fromSize: bigint;
  /** First size for which it no longer counts. */
  readonly untilSize: bigint | undefined;
  /** From this size on it counts only where somebody outside holds the checkpoint: an anchor, a quorum of witnesses. */
  readonly compromisedSince: bigint | undefined;
}

export interface KeyFault {
  readonly cause: 'NOTE_SIGNATURE' | 'UNKNOWN_KEY' | 'KEY_WINDOW';
  readonly detail: string;
}

/** Whether the key may sign a checkpoint of this size at all. */
export const isInWindow = ({ fromSize, untilSize }: NotaryKey, size: bigint): boolean =>
  size >= fromSize && (untilSize === undefined || size < untilSize);

/** Whether a checkpoint of this size may be the thief's. */
export const isStolenAt = ({ compromisedSince }: NotaryKey, size: bigint): boolean =>
  compromisedSince !== undefined && size >= compromisedSince;

/**
 * The keys that signed a checkpoint of the anchor log of this size and may sign one, at least one; or why there is none.
 * Says nothing of theft.
 */
export function signersOf<Key extends NotaryKey>(
  note: SignedNote,
  size: bigint,
  keys: readonly Key[],
): { readonly signers: readonly Key[] } | { readonly fault: KeyFault } {
  const fault = (cause: KeyFault['cause'], detail: string) => ({ fault: { cause, detail } });
  const { by, bad } = verifiedBy(
    note,
    keys.map(({ key }) => key),
  );
  if (bad !== undefined)
    return fault('NOTE_SIGNATURE', `the signature of ${bad.name}+${bad.keyId} at size ${size} is bad`);
  const signers = keys.filter(({ key }) => by.some((verified) => verified.key === key));
  if (signers.length === 0)
    return fault('UNKNOWN_KEY', `no key that is trusted signed the checkpoint of size ${size}`);
  const inWindow = signers.filter((signer) => isInWindow(signer, size));
  if (inWindow.length === 0)
    return fault('KEY_WINDOW', `the key that signed size ${size} does not count for it`);
  return { signers: inWindow };
}

/**
 * Why a checkpoint of the anchor log does not count; `undefined` when a key that counts for it signed it: within its window,
 * and from the size of its theft on only what is held outside, where a thief could not put it unseen.
 */
export function checkpointFault(
  note: SignedNote,
  size: bigint,
  keys: readonly NotaryKey[],
  isHeldOutside: (note: SignedNote) => boolean,
): KeyFault | undefined {
  const found = signersOf(note, size, keys);
  if ('fault' in found) return found.fault;
  if (found.signers.some((signer) => !isStolenAt(signer, size)) || isHeldOutside(note)) return undefined;
  const since = found.signers[0]?.compromisedSince ?? 0n;
  return {
    cause: 'KEY_WINDOW',
    detail: `the key that signed size ${size} was stolen by size ${since}, and nobody outside vouches for the checkpoint`,
  };
}

/** Where the old key's window ends when a checkpoint of this size hands over to a new one: it signs that one too. */
export const endOfOldKey = ({ untilSize }: NotaryKey, size: bigint): bigint =>
  untilSize !== undefined && untilSize <= size ? untilSize : size + 1n;

export const isSameKey = (one: VerifierKey, other: VerifierKey): boolean =>
  formatVerifierKey(one) === formatVerifierKey(other);
