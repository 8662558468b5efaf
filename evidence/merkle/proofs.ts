import { nodeHash, sameHash } from './tree-hash.ts';

/** Leaves `[begin, end)`; in a proof, the left or the right part of a tree or of such a part. */
export interface LeafRange {
  readonly begin: bigint;
  readonly end: bigint;
}

/**
 * The parts of a tree of `size` leaves whose hashes prove that the leaf at `index` is in it, in the order of the proof:
 * the leaf's neighbour first (RFC 6962 §2.1.1). Throws a RangeError for an index outside the tree.
 */
export function inclusionRanges(index: bigint, size: bigint): LeafRange[] {
  if (index < 0n || index >= size) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path: LeafRange[] = [];
  let [begin, end] = [0n, size];
  while (end - begin > 1n) {
    const middle = begin + largestPowerBelow(end - begin);
    if (index < middle) {
      path.push({ begin: middle, end });
      end = middle;
    } else {
      path.push({ begin, end: middle });
      begin = middle;
    }
  }
  return path.reverse();
}

/**
 * The parts whose hashes prove that a tree of `newSize` leaves begins with the tree of `oldSize` leaves, in the order of
 * the proof (RFC 6962 §2.1.2). Throws a RangeError unless 0 < oldSize <= newSize.
 */
export function consistencyRanges(oldSize: bigint, newSize: bigint): LeafRange[] {
  if (oldSize <= 0n || oldSize > newSize)
    throw new RangeError(`no proof leads from ${oldSize} to ${newSize} leaves`);
  const path: LeafRange[] = [];
  let [begin, end] = [0n, newSize];
  while (end !== oldSize) {
    const middle = begin + largestPowerBelow(end - begin);
    if (oldSize <= middle) {
      path.push({ begin: middle, end });
      end = middle;
    } else {
      path.push({ begin, end: middle });
      begin = middle;
    }
  }
  // The old tree itself is known to whoever asks; a part of it is not.
  if (begin > 0n) path.push({ begin, end });
  return path.reverse();
}

/** The root that the proof gives the tree; `undefined` when no tree of that size has such a proof. */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: bigint,
  size: bigint,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (index < 0n || index >= size) return undefined;
  let [at, last] = [index, size - 1n];
  let root = leaf;
  for (const hash of proof) {
    if (last === 0n) return undefined;
    if (at % 2n === 1n || at === last) {
      root = nodeHash(hash, root);
      // A last node without a neighbour goes up as it is.
      while (at % 2n === 0n) [at, last] = [at / 2n, last / 2n];
    } else {
      root = nodeHash(root, hash);
    }
    [at, last] = [at / 2n, last / 2n];
  }
  return last === 0n ? root : undefined;
}

/** Whether the proof shows that the tree of `newSize` leaves begins with that of `oldSize` leaves (RFC 9162 §2.1.4.2). */
export function isConsistent(
  { size: oldSize, root: oldRoot }: TreeHead,
  { size: newSize, root: newRoot }: TreeHead,
  proof: readonly Uint8Array[],
): boolean {
  if (oldSize <= 0n || oldSize > newSize) return false;
  if (oldSize === newSize) return proof.length === 0 && sameHash(oldRoot, newRoot);
  // A complete old tree is a subtree of the new one: its root is not repeated in the proof.
  const isComplete = (oldSize & (oldSize - 1n)) === 0n;
  const [seed, ...rest] = isComplete ? [oldRoot, ...proof] : proof;
  if (seed === undefined) return false;
  let [at, last] = [oldSize - 1n, newSize - 1n];
  while (at % 2n === 1n) [at, last] = [at / 2n, last / 2n];
  let [ofOld, ofNew] = [seed, seed];
  for (const hash of rest) {
    if (last === 0n) return false;
    if (at % 2n === 1n || at === last) {
      [ofOld, ofNew] = [nodeHash(hash, ofOld), nodeHash(hash, ofNew)];
      while (at % 2n === 0n) [at, last] = [at / 2n, last / 2n];
    } else {
      ofNew = nodeHash(ofNew, hash);
    }
    [at, last] = [at / 2n, last / 2n];
  }
  return last === 0n && sameHash(ofOld, oldRoot) && sameHash(ofNew, newRoot);
}

export interface TreeHead {
  /** Number of leaves. */
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** The largest power of two smaller than `count`, which is at least 2. */
function largestPowerBelow(count: bigint): bigint {
  let power = 1n;
  while (power * 2n < count) power *= 2n;
  return power;
}
