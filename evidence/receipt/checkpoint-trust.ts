import type { PinnedTrust } from '../anchor-log/pinned-keys.ts';
import type { Checkpoint } from '../note/checkpoint.ts';
import { verifiedBy, verifierKey } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';

type KeyFault = { readonly cause: 'NOTE_SIGNATURE' | 'UNKNOWN_KEY' | 'KEY_WINDOW'; readonly detail: string };

/** Why the checkpoint of a data log does not count: the notary signs those with its one key, under the log's id. */
export function logNoteFault(note: SignedNote, log: string, trust: PinnedTrust): KeyFault | undefined {
  const keys = trust.keys.map(({ key }) => verifierKey(log, 'log', key.publicKey));
  const { by, bad } = verifiedBy(note, keys);
  if (bad !== undefined)
    return { cause: 'NOTE_SIGNATURE', detail: 'the checkpoint of the log is signed badly' };
  if (by.length > 0) return undefined;
  return { cause: 'UNKNOWN_KEY', detail: 'no pinned key of the notary signed the checkpoint of the log' };
}

/**
 * Why the checkpoint of the anchor log does not count. A key counts for the sizes it is pinned for; one that was stolen
 * not from the size on at which that is said to have happened, for a single proof cannot show that it was there before.
 */
export function anchorNoteFault(
  note: SignedNote,
  { size }: Checkpoint,
  trust: PinnedTrust,
): KeyFault | undefined {
  const { by, bad } = verifiedBy(
    note,
    trust.keys.map(({ key }) => key),
  );
  if (bad !== undefined)
    return { cause: 'NOTE_SIGNATURE', detail: 'the checkpoint of the anchor log is signed badly' };
  const signers = trust.keys.filter(({ key }) => by.some((verified) => verified.key === key));
  if (signers.length === 0)
    return {
      cause: 'UNKNOWN_KEY',
      detail: 'no pinned key of the notary signed the checkpoint of the anchor log',
    };
  const counts = signers.some(
    ({ fromSize, untilSize, compromisedSince }) =>
      size >= fromSize &&
      (untilSize === undefined || size < untilSize) &&
      (compromisedSince === undefined || size < compromisedSince),
  );
  if (counts) return undefined;
  return { cause: 'KEY_WINDOW', detail: `the key that signed size ${size} is not pinned for it` };
}

/**
 * When so many pinned witnesses had seen the checkpoint, in seconds since the epoch; `undefined` for fewer. A cosignature
 * that does not verify counts as none.
 */
export function witnessedSec({ text, signatures }: SignedNote, trust: PinnedTrust): bigint | undefined {
  if (trust.witnesses === undefined) return undefined;
  const times = trust.witnesses.keys
    .flatMap((key) => verifiedBy({ text, signatures }, [key]).by)
    .flatMap(({ timeSec }) => (timeSec === undefined ? [] : [timeSec]))
    .sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
  return times[trust.witnesses.quorum - 1];
}
