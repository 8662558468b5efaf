import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { growRange } from '../../../evidence/merkle/compact-range.ts';
import { createTreeHasher } from '../../../evidence/merkle/tree-hasher.ts';

const leafOf = (place: number) => hash('sha256', `leaf ${place}`, 'buffer');

test('gives the root of every size as the compact range does', () => {
  const range = growRange();
  const tree = createTreeHasher();
  expect(tree.root()).toEqual(range.root());
  for (let size = 1; size <= 300; size++) {
    range.append(leafOf(size));
    tree.append(leafOf(size));
    expect(Buffer.from(tree.root()), `size ${size}`).toEqual(Buffer.from(range.root()));
  }
});

test('goes on after a range of any size', () => {
  for (const begin of [0, 1, 2, 3, 7, 8, 100, 127, 128]) {
    const range = growRange();
    for (let place = 0; place < begin; place++) range.append(leafOf(place));
    const tree = createTreeHasher({ begin: 0n, end: range.end, hashes: range.hashes });
    for (let place = begin; place < begin + 40; place++) {
      const bytes = Buffer.concat([Buffer.alloc(5), leafOf(place)]);
      tree.appendAt(bytes, 5);
      range.append(leafOf(place));
      expect(Buffer.from(tree.root())).toEqual(Buffer.from(range.root()));
    }
  }
});

test('refuses a range that is no beginning, or has another number of hashes', () => {
  expect(() => createTreeHasher({ begin: 0n, end: 3n, hashes: [leafOf(0)] })).toThrow(RangeError);
  expect(() => createTreeHasher({ begin: 2n, end: 4n, hashes: [leafOf(0)] })).toThrow(RangeError);
});
