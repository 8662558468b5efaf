import { z } from 'zod';
import { rootFromInclusion } from '../merkle/proofs.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import { verifiedBy } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';
import { readCheckpointNote } from '../note/read-checkpoint.ts';
import { anchorLeaf, parseAnchorEntry } from './entry.ts';
import { rotationKeys, type RotationKeys } from './key-rotation.ts';
import { checkpointFault, endOfOldKey, isSameKey, type NotaryKey } from './notary-keys.ts';
import { hasQuorum, type WitnessQuorum } from './witness-quorum.ts';

const decimal = z.string().regex(/^(?:0|[1-9]\d{0,18})$/);

/**
 * Every change of the notary's key, oldest first, each with the proof that the anchor log has it: `entry` at `seq` is in the tree
 * of `size` entries, whose checkpoint `note` is signed by the old and the new key and carries its cosignatures.
 */
export const rotationProofsSchema = z
  .array(
    z.strictObject({
      seq: decimal,
      entry: z.string().max(4096),
      size: decimal,
      /** Inclusion proof, lower-case hex. */
      hashes: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(128),
      note: z.string().max(65_536),
    }),
  )
  .max(1000);
export type RotationProof = z.infer<typeof rotationProofsSchema>[number];

/** What rotations are followed from: keys and witnesses known from outside. */
export interface RotationTrust {
  readonly origin: string;
  readonly keys: readonly NotaryKey[];
  readonly witnesses: WitnessQuorum | undefined;
}

/**
 * The keys with those that proven rotations lead to. A rotation counts when it is in the anchor log under a checkpoint that a
 * key which counts has signed together with the new key, and the new key has signed that it takes over. From there on the
 * old key does not count. Reads attacker-controlled bytes.
 */
export function followRotations(
  rotations: readonly RotationProof[],
  { origin, keys: known, witnesses }: RotationTrust,
  onInvalid: (rotation: RotationProof, reason: string) => void,
): readonly NotaryKey[] {
  let keys = known;
  for (const rotation of rotations) {
    const read = readRotation(rotation, origin);
    if ('reason' in read) {
      onInvalid(rotation, read.reason);
      continue;
    }
    const { old: oldKey, next: newKey, note, size } = read;
    // What came before the first pinned key is nobody's to judge, and nothing rests on it.
    const old = keys.find(({ key }) => isSameKey(key, oldKey));
    if (old === undefined) continue;
    const isNewKnown = keys.some(({ key }) => isSameKey(key, newKey));
    const fault = checkpointFault(note, size, [old], (held) => hasQuorum(held, witnesses));
    if (fault !== undefined) {
      // A new key that is known from outside does not take its right from the old one.
      if (!isNewKnown || fault.cause !== 'KEY_WINDOW') onInvalid(rotation, `its checkpoint: ${fault.detail}`);
      continue;
    }
    if (verifiedBy(note, [newKey]).by.length === 0) {
      onInvalid(rotation, 'the new key has not signed its checkpoint');
      continue;
    }
    const next = { key: newKey, fromSize: size, untilSize: undefined, compromisedSince: undefined };
    const ended = { ...old, untilSize: endOfOldKey(old, size) };
    keys = [...keys.filter((each) => each !== old), ended, ...(isNewKnown ? [] : [next])];
  }
  return keys;
}

function readRotation(
  rotation: RotationProof,
  origin: string,
): (RotationKeys & { readonly note: SignedNote; readonly size: bigint }) | { readonly reason: string } {
  const body = Buffer.from(rotation.entry, 'utf8');
  const entry = parseAnchorEntry(body);
  if (entry?.type !== 'key_rotated') return { reason: 'it is no entry about a new key' };
  const read = readCheckpointNote(rotation.note);
  if ('reason' in read) return { reason: `its checkpoint: ${read.reason}` };
  const { note, checkpoint } = read;
  if (checkpoint.origin !== origin || checkpoint.size !== BigInt(rotation.size))
    return { reason: 'its checkpoint is that of another log or size' };
  const path = rotation.hashes.map((hash) => Buffer.from(hash, 'hex'));
  const root = rootFromInclusion(anchorLeaf(body), BigInt(rotation.seq), checkpoint.size, path);
  if (root === undefined || !sameHash(root, checkpoint.root))
    return { reason: 'it is not in the tree of its checkpoint' };
  const keys = rotationKeys(entry, origin);
  return 'reason' in keys ? keys : { ...keys, note, size: checkpoint.size };
}
