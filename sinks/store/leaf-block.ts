import { HASH_BYTES, nodeHash } from '../../evidence/merkle/tree-hash.ts';

/** Leaves of one complete subtree of a log, as far as they are stored, with the nodes over them. */
export interface LeafBlock {
  /** Leaf at a place in the block, lower-case hex; ascending, a copy of the one before is passed over. */
  add(place: number, leaf: string): void;
  /** No more leaves come. */
  finish(): void;
  /** Hash of the complete subtree of 2^level leaves at `index` in the block; `undefined` where a leaf is missing. */
  node(level: number, index: number): Uint8Array | undefined;
}

/** Makes an empty block of 2^`height` leaves. */
export function createLeafBlock(height: number): LeafBlock {
  const leafCount = 2 ** height;
  /** By level: the hashes one after another. */
  const levels: Buffer[] = [];
  /** By level: 1 where a hash is known. */
  const present: Uint8Array[] = [];
  let used = 0;
  const grow = (places: number) => {
    if (places <= (present[0]?.length ?? 0)) return;
    const size = Math.min(leafCount, Math.max(1024, places * 2));
    const leaves = Buffer.alloc(size * HASH_BYTES);
    const known = new Uint8Array(size);
    leaves.set(levels[0] ?? []);
    known.set(present[0] ?? []);
    levels[0] = leaves;
    present[0] = known;
  };
  function hashAt(level: number, index: number): Uint8Array | undefined {
    if (present[level]?.[index] !== 1) return undefined;
    return levels[level]?.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }
  return {
    add(place, leaf) {
      if (place < 0 || place >= leafCount) throw new RangeError(`place ${place} is not in the block`);
      grow(place + 1);
      levels[0]?.write(leaf, place * HASH_BYTES, 'hex');
      present[0]?.fill(1, place, place + 1);
      used = Math.max(used, place + 1);
    },
    finish() {
      for (let level = 1, count = used >> 1; level <= height && count > 0; level++, count >>= 1) {
        const hashes = Buffer.alloc(count * HASH_BYTES);
        const known = new Uint8Array(count);
        for (let index = 0; index < count; index++) {
          const left = hashAt(level - 1, index * 2);
          const right = hashAt(level - 1, index * 2 + 1);
          if (left === undefined || right === undefined) continue;
          hashes.set(nodeHash(left, right), index * HASH_BYTES);
          known[index] = 1;
        }
        levels[level] = hashes;
        present[level] = known;
      }
    },
    node: hashAt,
  };
}
