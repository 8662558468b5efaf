import { createHash } from 'node:crypto';

/** The tree of RFC 6962 §2.1 by its recursive definition, over leaf hashes: slow, and nothing to get wrong. */
export function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const [first] = leaves;
  if (first === undefined) return sha256();
  if (leaves.length === 1) return Buffer.from(first);
  const middle = split(leaves.length);
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, middle)), treeHash(leaves.slice(middle)));
}

/** PATH(m, D[n]) of RFC 6962 §2.1.1. */
export function auditPath(index: number, leaves: readonly Uint8Array[]): Buffer[] {
  if (leaves.length === 1) return [];
  const middle = split(leaves.length);
  const [left, right] = [leaves.slice(0, middle), leaves.slice(middle)];
  return index < middle
    ? [...auditPath(index, left), treeHash(right)]
    : [...auditPath(index - middle, right), treeHash(left)];
}

/** PROOF(m, D[n]) of RFC 6962 §2.1.2. */
export function consistencyProof(oldSize: number, leaves: readonly Uint8Array[]): Buffer[] {
  return subproof(oldSize, leaves, true);
}

function subproof(oldSize: number, leaves: readonly Uint8Array[], isKnown: boolean): Buffer[] {
  if (oldSize === leaves.length) return isKnown ? [] : [treeHash(leaves)];
  const middle = split(leaves.length);
  const [left, right] = [leaves.slice(0, middle), leaves.slice(middle)];
  return oldSize <= middle
    ? [...subproof(oldSize, left, isKnown), treeHash(right)]
    : [...subproof(oldSize - middle, right, false), treeHash(left)];
}

/** The largest power of two below the count. */
const split = (count: number) => 2 ** (Math.ceil(Math.log2(count)) - 1);

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Leaf hash of data (RFC 6962 §2.1). */
export const leafOf = (data: Uint8Array | string) => sha256(Buffer.of(0), Buffer.from(data));

export const leaves = (count: number) => Array.from({ length: count }, (_, index) => leafOf(`leaf ${index}`));
