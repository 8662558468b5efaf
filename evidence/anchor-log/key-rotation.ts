import { fromBase64 } from '../note/base64.ts';
import { parseVerifierKey, type VerifierKey, verifiedBy } from '../note/key.ts';
import { type AnchorEntryOf, keyRotationText } from './entry.ts';

/** The keys that an entry about a rotation names. */
export interface RotationKeys {
  readonly old: VerifierKey;
  readonly next: VerifierKey;
}

/**
 * The keys of a rotation when both are keys of this notary and the new one signed that it takes over; else why not. Whether the
 * old one may hand over is for the checkpoint that covers the entry to show.
 */
export function rotationKeys(
  entry: AnchorEntryOf<'key_rotated'>,
  origin: string,
): RotationKeys | { readonly reason: string } {
  const [old, next] = [keyOf(entry.old, origin), keyOf(entry.new, origin)];
  if (old === undefined) return { reason: 'the old key is no key of this log' };
  if (next === undefined) return { reason: 'the new key is no key of this log' };
  const signature = fromBase64(entry.proof);
  const proof = {
    text: keyRotationText(origin, entry.old, entry.new),
    signatures: signature === undefined ? [] : [{ name: next.name, keyId: next.keyId, signature }],
  };
  if (verifiedBy(proof, [next]).by.length === 0)
    return { reason: 'the new key has not signed that it takes over' };
  return { old, next };
}

function keyOf(text: string, origin: string): VerifierKey | undefined {
  try {
    const key = parseVerifierKey(text);
    return key.name === origin && key.use === 'log' ? key : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
