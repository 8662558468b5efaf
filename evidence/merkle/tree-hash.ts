import { hash } from 'node:crypto';

/** Hashes of the Merkle tree of RFC 6962 §2.1 over SHA-256; a leaf hash is `leafHash` of `entry.ts`, as bytes. */
export const HASH_BYTES = 32;

const NODE_PREFIX = 1;

/** Root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Uint8Array = hash('sha256', '', 'buffer');

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const preimage = Buffer.allocUnsafe(1 + 2 * HASH_BYTES);
  preimage[0] = NODE_PREFIX;
  preimage.set(left, 1);
  preimage.set(right, 1 + HASH_BYTES);
  return hash('sha256', preimage, 'buffer');
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
