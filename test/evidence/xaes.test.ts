import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { xaesKey, xaesOpen, xaesSeal } from '../../evidence/xaes.ts';

const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
const text = Buffer.from('XAES-256-GCM');
const none = Buffer.alloc(0);

describe('XAES-256-GCM', () => {
  it.each([
    [0x01, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
    [0x03, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
  ])("gives the specification's ciphertext for key %i", (byte, additional, expected) => {
    const key = xaesKey(Buffer.alloc(32, byte));
    const sealed = xaesSeal(key, nonce, text, Buffer.from(additional));
    expect(sealed.toString('hex')).toBe(expected);
    expect(xaesOpen(key, nonce, sealed, Buffer.from(additional))).toEqual(text);
  });

  it("gives the hash of the specification's 10,000 accumulated random messages", () => {
    // Each message takes at most 32 + 24 + 2 + 255 + 255 bytes of the generator.
    const stream = createHash('shake128', { outputLength: 10_000 * 570 }).digest();
    let at = 0;
    const take = (bytes: number) => stream.subarray(at, (at += bytes));
    const all = createHash('shake128', { outputLength: 32 });
    for (let round = 0; round < 10_000; round++) {
      const key = xaesKey(take(32));
      const own = take(24);
      const plaintext = take(take(1)[0] ?? 0);
      const additional = take(take(1)[0] ?? 0);
      const sealed = xaesSeal(key, own, plaintext, additional);
      all.update(sealed);
      if (round % 100 === 0) expect(xaesOpen(key, own, sealed, additional)).toEqual(plaintext);
    }
    expect(all.digest('hex')).toBe('e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939');
  });

  it('opens nothing after any single bit was changed, or cut short', () => {
    const key = xaesKey(Buffer.alloc(32, 7));
    const sealed = xaesSeal(key, nonce, text, none);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(xaesOpen(key, nonce, changed, none)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++)
      expect(xaesOpen(key, nonce, sealed.subarray(0, length), none)).toBeUndefined();
    expect(xaesOpen(xaesKey(Buffer.alloc(32, 8)), nonce, sealed, none)).toBeUndefined();
    expect(xaesOpen(key, nonce.subarray(1), sealed, none)).toBeUndefined();
    expect(xaesOpen(key, nonce, sealed, Buffer.from('x'))).toBeUndefined();
  });
});
