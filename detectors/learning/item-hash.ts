import { hash } from 'node:crypto';

const generationSize = 8192;
let young = new Map<string, number>();
let old = new Map<string, number>();

/**
 * The first 52 bits of SHA-256 as an integer: detectors keep these instead of names. Cryptographic, because names
 * come from outside: nobody can pick a tool name that collides with a well-known one. The cache holds two bounded
 * generations of a pure function's results, so it is no state.
 */
export function itemHash(text: string): number {
  const cached = young.get(text) ?? old.get(text);
  if (cached !== undefined) return cached;
  const value = parseInt(hash('sha256', text, 'hex').slice(0, 13), 16);
  if (young.size >= generationSize) {
    old = young;
    young = new Map();
  }
  young.set(text, value);
  return value;
}

/** Hash of an ordered pair within a class of items, so that (a, b), (b, a) and other classes stay apart. */
export function pairHash(itemClass: number, first: number, second: number): number {
  let low = Math.imul((first | 0) ^ (itemClass * 0x9e3779b9), 0x85ebca6b);
  let high = Math.imul(Math.floor(first / 0x100000000) + itemClass, 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 15) ^ (second | 0), 0x2c1b3c6d);
  high = Math.imul(high ^ (high >>> 13) ^ Math.floor(second / 0x100000000), 0x297a2d39);
  low ^= Math.imul(high ^ (high >>> 16), 0x27d4eb2f);
  high ^= Math.imul(low ^ (low >>> 14), 0x165667b1);
  return (high >>> 12) * 0x100000000 + (low >>> 0);
}
