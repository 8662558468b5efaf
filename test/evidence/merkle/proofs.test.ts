import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  consistencyRanges,
  inclusionRanges,
  isConsistent,
  type LeafRange,
  rootFromInclusion,
  type TreeHead,
} from '../../../evidence/merkle/proofs.ts';
import { twin } from '../../attack-catalogue.ts';
import { nodeHash } from '../../../evidence/merkle/tree-hash.ts';
import { auditPath, consistencyProof, leaves, treeHash } from './reference-tree.ts';

const MAX = 70;
const MANY = leaves(MAX);
const rootOf = ({ begin, end }: LeafRange) => treeHash(MANY.slice(Number(begin), Number(end)));
const headOf = (size: number): TreeHead => ({ size: BigInt(size), root: treeHash(MANY.slice(0, size)) });
const inclusionOf = (index: number, size: number) => inclusionRanges(BigInt(index), BigInt(size)).map(rootOf);
const consistencyOf = (from: number, to: number) => consistencyRanges(BigInt(from), BigInt(to)).map(rootOf);

/** Every way to spoil a list of hashes a little: a bit of each, one too many or too few at each place, two swapped. */
function* spoilt(proof: readonly Buffer[], stranger: Buffer): Generator<Buffer[]> {
  for (let at = 0; at <= proof.length; at += 1) {
    yield proof.toSpliced(at, 0, stranger);
    const hash = proof[at];
    if (hash === undefined) continue;
    yield proof.toSpliced(at, 1);
    yield proof.toSpliced(at, 0, hash);
    const flipped = Buffer.from(hash);
    flipped.writeUInt8(flipped.readUInt8(at % 32) ^ 1, at % 32);
    yield proof.with(at, flipped);
    const next = proof[at + 1];
    if (next !== undefined) yield proof.with(at, next).with(at + 1, hash);
  }
}

describe('inclusion proofs', () => {
  it('are those of the recursive definition, and give the root, for every leaf of every size', () => {
    for (let size = 1; size <= MAX; size += 1) {
      const { root } = headOf(size);
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionOf(index, size);
        expect(proof).toEqual(auditPath(index, MANY.slice(0, size)));
        expect(rootFromInclusion(MANY[index]!, BigInt(index), BigInt(size), proof)).toEqual(root);
      }
    }
  });

  it('give another root, or none, for another leaf, index or size, or with another hash', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX }), fc.nat(), fc.nat(), fc.nat(), (size, a, b, c) => {
        const [index, otherIndex, otherSize] = [a % size, b % MAX, 1 + (c % MAX)];
        const { root } = headOf(size);
        const proof = inclusionOf(index, size);
        const gives = (leaf: number, at: number, of: number, hashes: readonly Uint8Array[]) =>
          Buffer.compare(
            rootFromInclusion(MANY[leaf]!, BigInt(at), BigInt(of), hashes) ?? Buffer.alloc(0),
            root,
          ) === 0;
        expect(gives(index, index, size, proof)).toBe(true);
        if (otherIndex !== index) {
          expect(gives(otherIndex, index, size, proof)).toBe(false);
          expect(gives(index, otherIndex, size, proof)).toBe(false);
        }
        for (const bad of spoilt(proof, MANY[otherIndex]!))
          expect(gives(index, index, size, bad)).toBe(false);
        // Where the path has the same turns, another size does not show: the size is signed beside the root.
        if (otherSize < size && otherSize <= index) expect(gives(index, index, otherSize, proof)).toBe(false);
      }),
    );
  });

  it('exist for no leaf outside the tree', () => {
    expect(() => inclusionRanges(3n, 3n)).toThrow(RangeError);
    expect(() => inclusionRanges(-1n, 3n)).toThrow(RangeError);
    expect(rootFromInclusion(MANY[0]!, 0n, 0n, [])).toBeUndefined();
    expect(rootFromInclusion(MANY[0]!, -1n, 1n, [])).toBeUndefined();
    expect(rootFromInclusion(MANY[0]!, 1n, 1n, [])).toBeUndefined();
  });
});

describe('consistency proofs', () => {
  it('are those of the recursive definition, and hold, for every two sizes', () => {
    for (let to = 1; to <= MAX; to += 1) {
      for (let from = 1; from <= to; from += 1) {
        const proof = consistencyOf(from, to);
        expect(proof).toEqual(consistencyProof(from, MANY.slice(0, to)));
        expect(isConsistent(headOf(from), headOf(to), proof)).toBe(true);
      }
    }
    twin(38, 'receipt');
  });

  it('do not hold with another hash, for another root, or for another size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX }), fc.nat(), fc.nat(), (to, a, b) => {
        const from = 1 + (a % to);
        const other = 1 + (b % MAX);
        const [before, after] = [headOf(from), headOf(to)];
        const proof = consistencyOf(from, to);
        for (const bad of spoilt(proof, MANY[other - 1]!))
          expect(isConsistent(before, after, bad)).toBe(false);
        if (other !== from) {
          expect(isConsistent({ ...before, root: headOf(other).root }, after, proof)).toBe(false);
          expect(isConsistent(headOf(other), after, proof)).toBe(false);
        }
        if (other !== to) {
          expect(isConsistent(before, { ...after, root: headOf(other).root }, proof)).toBe(false);
          expect(isConsistent(before, headOf(other), proof)).toBe(false);
        }
      }),
    );
  });

  it('lead from no empty tree and to no smaller one', () => {
    for (const [from, to] of [
      [0n, 0n],
      [0n, 5n],
      [5n, 4n],
    ] as const) {
      expect(() => consistencyRanges(from, to)).toThrow(RangeError);
      expect(isConsistent({ size: from, root: headOf(5).root }, { size: to, root: headOf(5).root }, [])).toBe(
        false,
      );
    }
  });
});

describe('a proof made for roots that an attacker chose', () => {
  const [left, right] = [MANY[0]!, MANY[1]!];
  const joined = treeHash([left, right]);
  it('shows no tree that begins with a larger one', () => {
    expect(isConsistent({ size: 4n, root: left }, { size: 2n, root: left }, [])).toBe(false);
  });

  it('shows nothing when it ends before the new root, or does not begin', () => {
    const head = headOf(2);
    const node = (hash: Uint8Array) => nodeHash(head.root, hash);
    expect(isConsistent(head, { size: 4n, root: node(joined) }, [joined])).toBe(true);
    expect(isConsistent(head, { size: 8n, root: node(joined) }, [joined])).toBe(false);
    expect(isConsistent(headOf(3), headOf(5), [])).toBe(false);
    expect(rootFromInclusion(left, 0n, 4n, [right])).toBeUndefined();
  });
});
