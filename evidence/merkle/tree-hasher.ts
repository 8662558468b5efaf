import { hash } from 'node:crypto';
import { subtreesOf, type CompactRange } from './compact-range.ts';
import { EMPTY_ROOT, HASH_BYTES, nodeHash } from './tree-hash.ts';

/**
 * The root of a growing tree, at the speed of its hashing: one buffer for each level, no allocation and no 64-bit
 * arithmetic per leaf. `growRange` says the same and gives the range too.
 */
export interface TreeHasher {
  append(leaf: Uint8Array): void;
  /** As `append` of the 32 bytes at `offset`. */
  appendAt(bytes: Uint8Array, offset: number): void;
  root(): Uint8Array;
}

const LEFT = 1;
const RIGHT = LEFT + HASH_BYTES;
const LEVELS = 64;

/** Goes on after the leaves of a range that begins at 0. Throws a RangeError when its hashes are not as many as it needs. */
export function createTreeHasher(from: CompactRange = { begin: 0n, end: 0n, hashes: [] }): TreeHasher {
  /** By level: a node under way, its left half filled where `isHalf`. */
  const nodes: Buffer[] = [];
  const isHalf: boolean[] = [];
  const nodeAt = (level: number): Buffer => {
    let node = nodes[level];
    if (node === undefined) {
      nodes[level] = node = Buffer.alloc(1 + 2 * HASH_BYTES);
      node[0] = 1;
      isHalf[level] = false;
    }
    return node;
  };
  const subtrees = subtreesOf(from.begin, from.end);
  if (from.begin !== 0n || subtrees.length !== from.hashes.length)
    throw new RangeError(
      `[${from.begin}, ${from.end}) with ${from.hashes.length} hashes is no beginning of a tree`,
    );
  for (const [place, { level }] of subtrees.entries()) {
    nodeAt(level).set(from.hashes[place] ?? [], LEFT);
    isHalf[level] = true;
  }

  function appendAt(bytes: Uint8Array, offset: number): void {
    let node = nodeAt(0);
    let at = isHalf[0] === true ? RIGHT : LEFT;
    // A loop is faster than a call into the runtime for 32 bytes.
    for (let index = 0; index < HASH_BYTES; index++) node[at + index] = bytes[offset + index] as number;
    for (let level = 0; at === RIGHT && level < LEVELS; level++) {
      isHalf[level] = false;
      // As text: the runtime gives a new Buffer at twice the price.
      const text = hash('sha256', node, 'binary');
      node = nodeAt(level + 1);
      at = isHalf[level + 1] === true ? RIGHT : LEFT;
      for (let index = 0; index < HASH_BYTES; index++) node[at + index] = text.charCodeAt(index);
      if (at === LEFT) {
        isHalf[level + 1] = true;
        return;
      }
    }
    isHalf[0] = true;
  }
  return {
    append: (leaf) => appendAt(leaf, 0),
    appendAt,
    root() {
      let root: Uint8Array | undefined;
      for (const [level, node] of nodes.entries()) {
        if (isHalf[level] !== true) continue;
        const left = node.subarray(LEFT, RIGHT);
        root = root === undefined ? Uint8Array.from(left) : nodeHash(left, root);
      }
      return root ?? EMPTY_ROOT;
    },
  };
}
