import { EMPTY_ROOT, nodeHash } from './tree-hash.ts';

/** A complete subtree of 2^level leaves; its first leaf is index * 2^level. */
export interface Subtree {
  readonly level: number;
  readonly index: bigint;
}

/**
 * The fewest hashes that stand for the leaves `[begin, end)` of a log: those of the largest complete subtrees they
 * consist of, left to right (`subtreesOf`). At most two for each bit of `end`. With `begin` 0 they determine the root.
 */
export interface CompactRange {
  readonly begin: bigint;
  readonly end: bigint;
  readonly hashes: readonly Uint8Array[];
}

export interface RangeBuilder extends CompactRange {
  /** Adds the leaf at `end`. */
  append(leaf: Uint8Array): void;
  /** Adds the leaves of a range that begins at `end`. Throws a RangeError for any other. */
  join(range: CompactRange): void;
  /** The root of a tree of `end` leaves. Throws a RangeError for a range that does not begin at 0. */
  root(): Uint8Array;
}

/** The largest complete subtrees that `[begin, end)` consists of, left to right. */
export function subtreesOf(begin: bigint, end: bigint): Subtree[] {
  const found: Subtree[] = [];
  for (let at = begin; at < end;) {
    let level = 0;
    let size = 1n;
    while (at % (size * 2n) === 0n && at + size * 2n <= end) {
      level += 1;
      size *= 2n;
    }
    found.push({ level, index: at / size });
    at += size;
  }
  return found;
}

/** Grows a range. Throws a RangeError when it is given another number of hashes than its bounds need. */
export function growRange(from: CompactRange = { begin: 0n, end: 0n, hashes: [] }): RangeBuilder {
  const { begin } = from;
  let { end } = from;
  const hashes: Uint8Array[] = [];
  /** Level of each hash. */
  const levels: number[] = [];
  for (const { hash, level } of partsOf(from)) {
    hashes.push(hash);
    levels.push(level);
  }

  /** Adds a complete subtree that begins at `end`, and unites it with those that it completes. */
  function push(hash: Uint8Array, level: number): void {
    const size = 1n << BigInt(level);
    let index = end / size;
    let united = hash;
    let height = level;
    while (index % 2n === 1n && levels.at(-1) === height) {
      levels.pop();
      united = nodeHash(hashes.pop() as Uint8Array, united);
      index /= 2n;
      height += 1;
    }
    hashes.push(united);
    levels.push(height);
    end += size;
  }

  return {
    begin,
    get end() {
      return end;
    },
    get hashes() {
      return [...hashes];
    },
    append: (leaf) => push(leaf, 0),
    join(range) {
      if (range.begin !== end) throw new RangeError(`cannot join [${range.begin}, ${range.end}) at ${end}`);
      for (const { hash, level } of partsOf(range)) push(hash, level);
    },
    root() {
      if (begin !== 0n) throw new RangeError(`a range from ${begin} has no root`);
      return hashes.length === 0 ? EMPTY_ROOT : fold(hashes);
    },
  };
}

function partsOf({ begin, end, hashes }: CompactRange): { hash: Uint8Array; level: number }[] {
  if (begin < 0n || begin > end) throw new RangeError(`[${begin}, ${end}) is no range`);
  const subtrees = subtreesOf(begin, end);
  if (subtrees.length !== hashes.length)
    throw new RangeError(`[${begin}, ${end}) has ${subtrees.length} hashes, not ${hashes.length}`);
  return subtrees.map(({ level }, place) => ({ hash: hashes[place] as Uint8Array, level }));
}

/** The hash of neighbouring subtrees, each smaller than the one before: the right ones go together first. */
export function fold(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}
