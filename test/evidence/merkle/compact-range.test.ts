import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growRange, subtreesOf } from '../../../evidence/merkle/compact-range.ts';
import { leafOf, leaves, treeHash } from './reference-tree.ts';

const MANY = leaves(300);

function rangeOf(begin: number, end: number) {
  const range = growRange({ begin: BigInt(begin), end: BigInt(begin), hashes: [] });
  for (const leaf of MANY.slice(begin, end)) range.append(leaf);
  return range;
}

describe('compact range', () => {
  it('gives the roots of the reference log of Certificate Transparency', () => {
    const inputs = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const range = growRange();
    const roots = [range.root()];
    for (const input of inputs) {
      range.append(leafOf(Buffer.from(input, 'hex')));
      roots.push(range.root());
    }
    expect(roots.map((root) => Buffer.from(root).toString('hex'))).toEqual([
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ]);
  });

  it('has the root of the recursive definition at every size', () => {
    const range = growRange();
    for (const [index, leaf] of MANY.entries()) {
      range.append(leaf);
      expect(Buffer.from(range.root())).toEqual(treeHash(MANY.slice(0, index + 1)));
    }
  });

  it('is the same whether leaves are added one by one or ranges are joined, however the log is cut', () => {
    const cuts = fc
      .uniqueArray(fc.nat(MANY.length), { maxLength: 6 })
      .map((all) => all.sort((a, b) => a - b));
    fc.assert(
      fc.property(cuts, (between) => {
        const bounds = [0, ...between, MANY.length];
        const joined = growRange();
        bounds.slice(1).forEach((end, part) => joined.join(rangeOf(bounds[part] ?? 0, end)));
        expect(joined.end).toBe(BigInt(MANY.length));
        expect(joined.hashes).toEqual(rangeOf(0, MANY.length).hashes);
      }),
    );
  });

  it('goes on from what was stored of it', () => {
    fc.assert(
      fc.property(fc.nat(150), fc.nat(150), (stored, more) => {
        const { begin, end, hashes } = rangeOf(0, stored);
        const range = growRange({ begin, end, hashes });
        for (const leaf of MANY.slice(stored, stored + more)) range.append(leaf);
        expect(range.root()).toEqual(rangeOf(0, stored + more).root());
      }),
    );
  });

  it('consists of the fewest complete subtrees, whose hashes are those of their leaves', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (a, b) => {
        const [begin, end] = a < b ? [a, b] : [b, a];
        const range = rangeOf(begin, end);
        const subtrees = subtreesOf(BigInt(begin), BigInt(end));
        expect(range.hashes.map((hash) => Buffer.from(hash))).toEqual(
          subtrees.map(({ level, index }) => {
            const first = Number(index) * 2 ** level;
            return treeHash(MANY.slice(first, first + 2 ** level));
          }),
        );
        const united = subtrees.some(
          ({ level, index }, place) =>
            index % 2n === 0n &&
            subtrees[place + 1]?.level === level &&
            subtrees[place + 1]?.index === index + 1n,
        );
        expect(united).toBe(false);
      }),
    );
  });

  it('refuses hashes that do not fit its bounds, ranges that do not follow, and a root of a part', () => {
    expect(() => growRange({ begin: 0n, end: 3n, hashes: MANY.slice(0, 1) })).toThrow('has 2 hashes, not 1');
    expect(() => rangeOf(0, 3).join(rangeOf(4, 6))).toThrow('cannot join [4, 6) at 3');
    expect(() => rangeOf(1, 3).root()).toThrow('has no root');
  });
});

describe('what is no range', () => {
  it.each([
    ['begins below nothing', -1n, 0n],
    ['ends before it begins', 3n, 2n],
  ])('is refused when it %s', (_, begin, end) => {
    expect(() => growRange({ begin, end, hashes: [] })).toThrow(/is no range/);
  });
});
