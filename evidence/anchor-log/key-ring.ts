import type { FindingCause } from '../finding.ts';
import { formatVerifierKey, parseVerifierKey, verifiedBy, type VerifierKey } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';
import { keyRotationText, type AnchorEntryOf } from './entry.ts';
import type { PinnedKey } from './pinned-keys.ts';

interface RingKey {
  readonly key: VerifierKey;
  readonly text: string;
  /** Pinned, or taken over from a trusted key by a rotation it signed. */
  isTrusted: boolean;
  readonly fromSize: bigint;
  /** Largest size it may sign. */
  lastSize: bigint | undefined;
  compromisedSince: bigint | undefined;
  /** Largest checkpoint within its window that it signed. */
  signedSize: bigint;
}

interface Rotation {
  readonly seq: bigint;
  readonly entry: AnchorEntryOf<'key_rotated'>;
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
  /** Size up to which keys from outside vouch; reports when that is not all that was signed. */
  finish(newestSize: bigint, anchoredSize: bigint): bigint;
  /** Keys that signed, as C2SP writes them. */
  readonly signers: readonly string[];
}

export function createKeyRing(origin: string, pinned: readonly PinnedKey[], report: Report): KeyRing {
  const ring = new Map<string, RingKey>();
  const rotations: Rotation[] = [];
  /** Key the log says is in use. */
  let inUse: string | undefined;
  /** Largest checkpoint that was refused for its signatures. */
  let refusedSize = -1n;

  for (const { key, fromSize, untilSize, compromisedSince } of pinned) {
    const lastSize = untilSize === undefined ? undefined : untilSize - 1n;
    const text = formatVerifierKey(key);
    ring.set(text, { key, text, isTrusted: true, fromSize, lastSize, compromisedSince, signedSize: -1n });
  }

  /** The key of that text, added when it is new; `undefined` for one that cannot sign this log. */
  function named(text: string, fromSize: bigint): RingKey | undefined {
    const known = ring.get(text);
    if (known !== undefined) return known;
    const key = readKey(text);
    if (key?.name !== origin || key.use !== 'log') return undefined;
    const added: RingKey = {
      ...{ key, text, isTrusted: false, fromSize, lastSize: undefined },
      ...{ compromisedSince: undefined, signedSize: -1n },
    };
    ring.set(text, added);
    return added;
  }

  /** What is wrong with a rotation that the checkpoint covers; `undefined` when nothing is. */
  function faultOf({ entry }: Rotation, size: bigint, note: SignedNote): string | undefined {
    const next = readKey(entry.new);
    if (entry.old !== inUse) return 'the old key is not the one in use';
    if (next?.name !== origin || next.use !== 'log') return 'the new key is no key of this log';
    const proof = Buffer.from(entry.proof, 'base64');
    const text = keyRotationText(origin, entry.old, entry.new);
    const signed = { text, signatures: [{ name: next.name, keyId: next.keyId, signature: proof }] };
    if (verifiedBy(signed, [next]).by.length === 0) return 'the new key has not signed that it takes over';
    const old = readKey(entry.old);
    const by = verifiedBy(note, old === undefined ? [next] : [old, next]).by;
    if (by.length < 2) return `the checkpoint of size ${size} is not signed by the old and the new key`;
    return undefined;
  }

  function turnOver(rotation: Rotation, size: bigint, note: SignedNote): void {
    const fault = faultOf(rotation, size, note);
    if (fault !== undefined) {
      report('ROTATION_INVALID', rotation.seq, fault);
      return;
    }
    const old = ring.get(rotation.entry.old);
    const next = named(rotation.entry.new, size);
    if (old === undefined || next === undefined) return;
    if (old.lastSize === undefined || old.lastSize > size) old.lastSize = size;
    if (old.isTrusted) next.isTrusted = true;
    inUse = rotation.entry.new;
  }

  return {
    genesis(text) {
      if (named(text, 0n) !== undefined) inUse = text;
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
      const keys = [...ring.values()];
      const { by, bad } = verifiedBy(
        note,
        keys.map(({ key }) => key),
      );
      if (bad !== undefined) {
        refusedSize = size;
        report(
          'NOTE_SIGNATURE',
          size - 1n,
          `the signature of ${bad.name}+${bad.keyId} at size ${size} is bad`,
        );
        return;
      }
      const signers = keys.filter(({ key }) => by.some((each) => each.key === key));
      if (signers.length === 0) {
        refusedSize = size;
        report('UNKNOWN_KEY', size - 1n, `no known key signed the checkpoint of size ${size}`);
        return;
      }
      const inWindow = signers.filter(
        ({ fromSize, lastSize }) => size >= fromSize && (lastSize === undefined || size <= lastSize),
      );
      if (inWindow.length === 0) {
        refusedSize = size;
        report('KEY_WINDOW', size - 1n, `the key that signed size ${size} does not count for it`);
      }
      for (const signer of inWindow) signer.signedSize = size;
    },
    knows: (note) =>
      verifiedBy(
        note,
        [...ring.values()].map(({ key }) => key),
      ).by.length > 0,
    finish(newestSize, anchoredSize) {
      for (const { seq } of rotations)
        report('ROTATION_INVALID', seq, 'no checkpoint signed by the old and the new key covers it');
      let vouched = -1n;
      let isCut = false;
      for (const { isTrusted, signedSize, compromisedSince } of ring.values()) {
        if (!isTrusted) continue;
        const isStolen =
          compromisedSince !== undefined && signedSize > compromisedSince && signedSize > anchoredSize;
        if (isStolen) isCut = true;
        const counts = isStolen ? maxOf(compromisedSince, anchoredSize) : signedSize;
        vouched = maxOf(vouched, counts);
      }
      if (newestSize > refusedSize && vouched < newestSize && pinned.length > 0) {
        if (isCut)
          report(
            'KEY_WINDOW',
            newestSize - 1n,
            `signed up to size ${newestSize} by a key that was stolen before, and no anchor has it`,
          );
        else report('UNKNOWN_KEY', newestSize - 1n, `no key that is trusted vouches for size ${newestSize}`);
      }
      return vouched;
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

const maxOf = (a: bigint, b: bigint): bigint => (a > b ? a : b);
