import { describe, expect, it } from 'vitest';
import { sipHash32, sipHashHex52, sipKey } from '../../../../collectors/normalize/provenance/sip-hash.ts';

const key = sipKey(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'));

/** SipHash-2-4 of the first n bytes 00 01 02 …, as 64-bit numbers (test vectors of the reference implementation). */
const VECTORS: readonly (readonly [number, string])[] = [
  [0, '726fdb47dd0e0e31'],
  [1, '74f839c593dc67fd'],
  [2, '0d6c8009d9a94f5a'],
  [3, '85676696d7fb7e2d'],
  [7, 'ab0200f58b01d137'],
  [8, '93f5f5799a932462'],
  [15, 'a129ca6149be45e5'],
  [63, '958a324ceb064572'],
];

describe('SipHash-2-4', () => {
  it.each(VECTORS)('gives the published value for %i bytes', (length, expected) => {
    const bytes = Uint8Array.from({ length: length + 4 }, (_, index) => index);
    expect(sipHashHex52(key, bytes, 0, length)).toBe(expected.slice(0, 13));
  });

  it('hashes a part of a buffer as if it stood alone', () => {
    const bytes = Uint8Array.from([9, 9, 0, 1, 2, 9]);
    expect(sipHashHex52(key, bytes, 2, 5)).toBe('85676696d7fb7');
  });

  it('takes the first half as the 32-bit hash', () => {
    expect(sipHash32(key, new Uint8Array(0), 0, 0)).toBe(0x726fdb47);
  });
});
