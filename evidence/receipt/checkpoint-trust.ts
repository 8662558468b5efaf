import { anchorOrigin } from '../anchor-log/entry.ts';
import type { NotaryKey } from '../anchor-log/notary-keys.ts';
import type { PinnedTrust } from '../anchor-log/pinned-keys.ts';
import { followRotations, rotationProofsSchema } from '../anchor-log/rotation-proof.ts';
import { cosignersOf } from '../anchor-log/witness-quorum.ts';
import { verifiedBy, verifierKey } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';
import type { CheckList } from './verdict.ts';

/**
 * The pinned keys of the notary with those that rotations lead to. `undefined` when something is presented as rotations that
 * are none, which is a failed check. Reads attacker-controlled text.
 */
export function notaryKeys(
  rotations: string | undefined,
  deployment: string,
  { keys, witnesses }: PinnedTrust,
  checks: CheckList,
): readonly NotaryKey[] | undefined {
  if (rotations === undefined || keys.length === 0) return keys;
  const fail = (detail: string) => checks.fail('anchor_checkpoint', 'ROTATION_INVALID', detail);
  const parsed = rotationProofsSchema.safeParse(jsonOf(rotations));
  if (!parsed.success) {
    fail('the changes of keys are not in the form of such proofs');
    return undefined;
  }
  const faults: string[] = [];
  const followed = followRotations(
    parsed.data,
    { origin: anchorOrigin(deployment), keys, witnesses },
    ({ seq }, reason) => {
      faults.push(`the change of keys at entry ${seq}: ${reason}`);
    },
  );
  if (faults[0] === undefined) return followed;
  fail(faults[0]);
  return undefined;
}

type LogFault = { readonly cause: 'NOTE_SIGNATURE' | 'UNKNOWN_KEY'; readonly detail: string };

/** Why the checkpoint of a data log does not count: the notary signs those with its one key, under the log's id. */
export function logNoteFault(
  note: SignedNote,
  log: string,
  keys: readonly NotaryKey[],
): LogFault | undefined {
  const { by, bad } = verifiedBy(
    note,
    keys.map(({ key }) => verifierKey(log, 'log', key.publicKey)),
  );
  if (bad !== undefined)
    return { cause: 'NOTE_SIGNATURE', detail: 'the checkpoint of the log is signed badly' };
  if (by.length > 0) return undefined;
  return { cause: 'UNKNOWN_KEY', detail: 'no key of the notary that is trusted signed it' };
}

/** When so many pinned witnesses had seen the checkpoint, in seconds since the epoch; `undefined` for fewer. */
export function witnessedSec(note: SignedNote, { witnesses }: PinnedTrust): bigint | undefined {
  if (witnesses === undefined) return undefined;
  const times = cosignersOf(note, witnesses)
    .flatMap(({ timeSec }) => (timeSec === undefined ? [] : [timeSec]))
    .sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
  return times[witnesses.quorum - 1];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
