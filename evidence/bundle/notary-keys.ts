import { anchorLeaf, anchorOrigin, keyRotationText, parseAnchorEntry } from '../anchor-log/entry.ts';
import { rootFromInclusion } from '../merkle/proofs.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import { fromBase64 } from '../note/base64.ts';
import { type Checkpoint, parseCheckpoint } from '../note/checkpoint.ts';
import { parseVerifierKey, type VerifierKey, verifiedBy } from '../note/key.ts';
import { NoteFormatError, parseNote, type SignedNote } from '../note/note.ts';
import { type BundleRotation, FILE } from './format.ts';
import { isSameKey, type NotaryKey, type TrustedKeys } from './trusted-keys.ts';
import type { BundleCause, BundleFindings } from './verdict.ts';

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

/** Pinned witnesses whose cosignature verifies. A forged line is passed over: anybody can add one. */
export function cosignersOf(
  note: SignedNote,
  { witnesses }: TrustedKeys,
): { name: string; timeSec: bigint }[] {
  return (witnesses?.keys ?? []).flatMap((key) =>
    verifiedBy(note, [key]).by.map(({ timeSec }) => ({ name: key.name, timeSec: timeSec ?? 0n })),
  );
}

/** Why a checkpoint of the anchor log does not count; `undefined` when one of the keys may sign it and did. */
export function whyNotCounted(
  note: SignedNote,
  size: bigint,
  keys: readonly NotaryKey[],
  trust: TrustedKeys,
): { readonly cause: BundleCause; readonly detail: string } | undefined {
  const { by, bad } = verifiedBy(
    note,
    keys.map(({ key }) => key),
  );
  if (bad !== undefined)
    return { cause: 'NOTE_SIGNATURE', detail: `the signature of ${bad.name}+${bad.keyId} does not verify` };
  const signers = keys.filter(({ key }) => by.some((verified) => verified.key === key));
  if (signers.length === 0) return { cause: 'UNKNOWN_KEY', detail: 'no key that is trusted has signed it' };
  const inWindow = signers.filter(
    ({ fromSize, untilSize }) => size >= fromSize && (untilSize === undefined || size < untilSize),
  );
  if (inWindow.length === 0)
    return { cause: 'KEY_WINDOW', detail: `the key that signed it does not count for size ${size}` };
  if (inWindow.some(({ compromisedSinceSize: since }) => since === undefined || size < since))
    return undefined;
  const quorum = trust.witnesses?.quorum;
  if (quorum !== undefined && cosignersOf(note, trust).length >= quorum) return undefined;
  return {
    cause: 'KEY_WINDOW',
    detail: `the key is compromised from size ${inWindow[0]?.compromisedSinceSize ?? 0n} on and no quorum of pinned witnesses has cosigned size ${size}`,
  };
}

/**
 * The keys of the notary with those that signed rotations lead to. A rotation counts when it is in the anchor log under a
 * checkpoint that a key which counts has signed together with the new key, and the new key has signed that it takes over.
 * From there on the old key does not count.
 */
export function followRotations(
  rotations: readonly BundleRotation[],
  trust: TrustedKeys,
  findings: BundleFindings,
): readonly NotaryKey[] {
  let keys = trust.notary;
  for (const rotation of rotations) {
    const read = readRotation(rotation, anchorOrigin(trust.deployment));
    if ('reason' in read) {
      invalid(rotation, read.reason);
      continue;
    }
    const { oldKey, newKey, note, size } = read;
    // What came before the first pinned key is nobody's to judge, and nothing rests on it.
    const old = keys.find(({ key }) => isSameKey(key, oldKey));
    if (old === undefined) continue;
    const refused = whyNotCounted(note, size, [old], trust);
    if (refused !== undefined) {
      invalid(rotation, `its checkpoint: ${refused.detail}`);
      continue;
    }
    if (verifiedBy(note, [newKey]).by.length === 0) {
      invalid(rotation, 'the new key has not signed its checkpoint');
      continue;
    }
    const known = keys.find(({ key }) => isSameKey(key, newKey));
    const next = { key: newKey, fromSize: size, untilSize: undefined, compromisedSinceSize: undefined };
    const ended = {
      ...old,
      untilSize: old.untilSize !== undefined && old.untilSize <= size ? old.untilSize : size + 1n,
    };
    keys = [...keys.filter((each) => each !== old), ended, ...(known === undefined ? [next] : [])];
  }
  return keys;

  function invalid({ seq }: BundleRotation, reason: string): void {
    findings.add('ROTATION_INVALID', { file: FILE.rotations, seq: BigInt(seq) }, reason);
  }
}

interface Rotation {
  readonly oldKey: VerifierKey;
  readonly newKey: VerifierKey;
  readonly note: SignedNote;
  readonly size: bigint;
}

function readRotation(rotation: BundleRotation, origin: string): Rotation | { readonly reason: string } {
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
  let oldKey: VerifierKey;
  let newKey: VerifierKey;
  try {
    oldKey = parseVerifierKey(entry.old);
    newKey = parseVerifierKey(entry.new);
  } catch (error) {
    if (error instanceof RangeError) return { reason: 'a key it names is none' };
    throw error;
  }
  if ([oldKey, newKey].some(({ name, use }) => name !== origin || use !== 'log'))
    return { reason: 'a key it names is not one of the notary' };
  const signature = fromBase64(entry.proof);
  const proof = {
    text: keyRotationText(origin, entry.old, entry.new),
    signatures: signature === undefined ? [] : [{ name: newKey.name, keyId: newKey.keyId, signature }],
  };
  if (verifiedBy(proof, [newKey]).by.length === 0)
    return { reason: 'the new key has not signed that it takes over' };
  return { oldKey, newKey, note, size: checkpoint.size };
}
