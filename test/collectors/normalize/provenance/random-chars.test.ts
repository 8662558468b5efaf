import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { randomChars } from '../../../../collectors/normalize/provenance/random-chars.ts';

const BYTES = createHash('sha512').update('bytes').digest();
const BASE32 = [...BYTES].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]).join('');
const PROSE =
  'Dear Mrs Jones, the invoice of 21 November 2026 over 1,250.00 EUR is paid; see you on Monday at 9:30. ';

describe('characters that look random', () => {
  it.each([
    ['hex', BYTES.toString('hex')],
    ['base64', BYTES.toString('base64')],
    ['base64url', BYTES.toString('base64url')],
    ['base32', BASE32],
    ['base64 of plain text', Buffer.from(PROSE.repeat(3)).toString('base64')],
  ])('are all of %s', (_, text) => {
    expect(randomChars(text)).toBe(text.length);
    expect(randomChars(`${PROSE}${text} ${PROSE}`)).toBe(text.length);
  });

  it('are found in five hundred other texts of bytes', () => {
    for (let round = 0; round < 500; round += 1)
      for (const encoding of ['hex', 'base64'] as const) {
        const text = createHash('shake256', { outputLength: 192 }).update(String(round)).digest(encoding);
        expect([text, randomChars(text)]).toEqual([text, text.length]);
      }
  });

  it.each([
    ['prose', PROSE.repeat(20)],
    [
      'an address of the web',
      'https://docs.example.com/guides/2026/getting-started-with-agents/index.html?page=12#top',
    ],
    ['a path', '/srv/projects/custody/detectors/learning/known_destinations_v2.test.ts'],
    ['an identifier', 'createAnonymousFunctionFromExistingPrototype2'],
    ['an account', 'GB33BUKB20201555555555'],
    ['numbers', '123456789012345678901234567890, 4111-1111-1111-1111-2222'],
    ['a time', '2026-11-21T23:59:59.123456789+00:00 20261121T235959Z'],
    [
      'source code',
      'const sum = values.reduce((total, value) => total + value * 2, 0); // O(n) in values.length\n',
    ],
    ['a letter again and again', 'a'.repeat(4096)],
    ['nothing', ''],
  ])('are none of %s', (_, text) => {
    expect(randomChars(text)).toBe(0);
  });

  it('are not seen in letters alone, and not in short pieces', () => {
    expect(randomChars('qwkzjxvbnplmtrsdfghcqzwxjkvbpnm'.repeat(4))).toBe(0);
    expect(randomChars((BYTES.toString('hex').match(/.{12}/g) ?? []).join(' '))).toBe(0);
  });
});
