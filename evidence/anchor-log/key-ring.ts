import type { FindingCause } from '../finding.ts';
import { formatVerifierKey, parseVerifierKey, verifiedBy, type VerifierKey } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';
import type { AnchorEntryOf } from './entry.ts';
import { rotationKeys, type RotationKeys } from './key-rotation.ts';
import { endOfOldKey, isInWindow, isStolenAt, type NotaryKey, signersOf } from './notary-keys.ts';

interface RingKey extends NotaryKey {
  readonly text: string;
  untilSize: bigint | undefined;
  compromisedSince: bigint | undefined;
  /** Pinned, or taken over from a trusted key by a rotation it signed. */
  isTrusted: boolean;
  /** Largest checkpoint within its window that it signed. */
  signedSize: bigint;
}

interface Rotation {
  readonly seq: bigint;
  readonly entry: AnchorEntryOf<'key_rotated'>;
}

/** A rotation that both keys signed. */
interface Handover {
  readonly old: RingKey;
  readonly next: RingKey;
  readonly size: bigint;
  /** The old key was known to be stolen by then: it may have handed over to the thief. */
  readonly isDoubtful: boolean;
}

type Report = (cause: FindingCause, seq: bigint | null, detail: string) => void;

/**
 * Which keys may sign which checkpoints of an anchor log. The log names its keys itself (genesis, rotations); that counts
 * for nothing until a key known from outside has signed a checkpoint over it, which `finish` decides.
 */
export interface KeyRing {
  genesis(verifierKey: string): void;
  rotated(seq: bigint, entry: AnchorEntryOf<'key_rotated'>): void;
  compromised(entry: AnchorEntryOf<'key_compromised'>): void;
  /** Judges the signatures of a checkpoint; sizes come in order. */
  checkpoint(size: bigint, note: SignedNote): void;
  /** Judges the signatures of a checkpoint that lay elsewhere; false when no key of the ring signed it. */
  knows(note: SignedNote): boolean;
  /** Says whether keys from outside vouch for all that was signed; up to `outsideSize` somebody outside holds it. */
  finish(newestSize: bigint, outsideSize: bigint): void;
  /** Keys that signed, as C2SP writes them. */
  readonly signers: readonly string[];
}

export function createKeyRing(origin: string, pinned: readonly NotaryKey[], report: Report): KeyRing {
  const ring = new Map<string, RingKey>();
  const rotations: Rotation[] = [];
  const handovers: Handover[] = [];
  /** Key the log says is in use. */
  let inUse: string | undefined;
  /** Largest checkpoint that was refused for its signatures. */
  let refusedSize = -1n;

  for (const pin of pinned) {
    const text = formatVerifierKey(pin.key);
    ring.set(text, { ...pin, text, isTrusted: true, signedSize: -1n });
  }

  /** The key, added when it is new. */
  function named(key: VerifierKey, fromSize: bigint): RingKey {
    const text = formatVerifierKey(key);
    const known = ring.get(text) ?? {
      ...{ key, text, fromSize, untilSize: undefined, compromisedSince: undefined },
      ...{ isTrusted: false, signedSize: -1n },
    };
    ring.set(text, known);
    return known;
  }

  /** The keys of a rotation that the checkpoint covers, or what is wrong with it. */
  function keysOf({ entry }: Rotation, size: bigint, note: SignedNote): RotationKeys | { reason: string } {
    if (entry.old !== inUse) return { reason: 'the old key is not the one in use' };
    const keys = rotationKeys(entry, origin);
    if ('reason' in keys || verifiedBy(note, [keys.old, keys.next]).by.length === 2) return keys;
    return { reason: `the checkpoint of size ${size} is not signed by the old and the new key` };
  }

  function turnOver(rotation: Rotation, size: bigint, note: SignedNote): void {
    const keys = keysOf(rotation, size, note);
    if ('reason' in keys) {
      report('ROTATION_INVALID', rotation.seq, keys.reason);
      return;
    }
    const [old, next] = [named(keys.old, 0n), named(keys.next, size)];
    if (isInWindow(old, size)) handovers.push({ old, next, size, isDoubtful: isStolenAt(old, size) });
    old.untilSize = endOfOldKey(old, size);
    inUse = next.text;
  }

  /** Who signed a stolen key's rotation first is not known, unless somebody outside holds it. */
  function inherit(outsideSize: bigint): { isCut: boolean } {
    let isCut = false;
    for (const { old, next, size, isDoubtful } of handovers) {
      if (!old.isTrusted || next.isTrusted) continue;
      if (isDoubtful && size > outsideSize) isCut = true;
      else next.isTrusted = true;
    }
    return { isCut };
  }

  return {
    genesis(text) {
      const key = readKey(text);
      if (key?.name !== origin || key.use !== 'log') return;
      inUse = named(key, 0n).text;
    },
    rotated: (seq, entry) => void rotations.push({ seq, entry }),
    compromised({ key, since_size }) {
      const known = ring.get(key);
      const since = BigInt(since_size);
      if (known === undefined) return;
      if (known.compromisedSince === undefined || known.compromisedSince > since)
        known.compromisedSince = since;
    },
    checkpoint(size, note) {
      for (const rotation of rotations.splice(0)) turnOver(rotation, size, note);
      const found = signersOf(note, size, [...ring.values()]);
      if ('fault' in found) {
        refusedSize = size;
        report(found.fault.cause, size - 1n, found.fault.detail);
        return;
      }
      for (const signer of found.signers) signer.signedSize = size;
    },
    knows: (note) =>
      verifiedBy(
        note,
        [...ring.values()].map(({ key }) => key),
      ).by.length > 0,
    finish(newestSize, outsideSize) {
      for (const { seq } of rotations)
        report('ROTATION_INVALID', seq, 'no checkpoint signed by the old and the new key covers it');
      let { isCut } = inherit(outsideSize);
      let isVouched = false;
      for (const key of ring.values()) {
        if (!key.isTrusted || key.signedSize < newestSize) continue;
        if (isStolenAt(key, newestSize) && newestSize > outsideSize) isCut = true;
        else isVouched = true;
      }
      if (isVouched || newestSize <= refusedSize || pinned.length === 0) return;
      if (isCut)
        report(
          'KEY_WINDOW',
          newestSize - 1n,
          `signed up to size ${newestSize} by a key that was stolen before, and nobody outside has it`,
        );
      else report('UNKNOWN_KEY', newestSize - 1n, `no key that is trusted vouches for size ${newestSize}`);
    },
    get signers() {
      return [...ring.values()].filter(({ signedSize }) => signedSize >= 0n).map(({ text }) => text);
    },
  };
}

function readKey(text: string): VerifierKey | undefined {
  try {
    return parseVerifierKey(text);
  } catch {
    return undefined;
  }
}
