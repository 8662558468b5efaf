import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { provenanceKey } from '../../../../collectors/normalize/provenance/provenance-key.ts';
import { wordTokens } from '../../../../collectors/normalize/provenance/words.ts';
import { decodeTokens, encodeTokens } from '../../../../schemas/token-set.ts';

const key = provenanceKey(Buffer.alloc(32, 7), 'acme');
const tokensOf = (text: string, max = 1024) => wordTokens([text], key, max);
/** Whether the word by itself is among the words of the text. */
const holds = (text: string, word: string) => tokensOf(text).includes(tokensOf(word)[0] ?? Number.NaN);

describe('words of a text', () => {
  it.each([
    ['write to Bob.Smith+x@Example.com, please', 'bob.smith+x@example.com'],
    ['write to bob@example.com.', 'example.com'],
    ['see https://files.example.com/a/b.pdf?x=1.', 'files.example.com'],
    ['see https://files.example.com/a/b.pdf?x=1.', 'https://files.example.com/a/b.pdf?x=1'],
    ['visit www.example.com today', 'example.com'],
    ['(/srv/data/report-2024.pdf)', '/srv/data/report-2024.pdf'],
    ['IBAN: DE89370400440532013000;', 'DE89370400440532013000'],
    ['release v1.2.3-rc.4 is out', 'v1.2.3-rc.4'],
    ['id=550e8400-e29b-41d4-a716-446655440000', '550e8400-e29b-41d4-a716-446655440000'],
    ['it costs $50.00 now', '50'],
    ['{"a":"line\\nbob@example.com"}', 'bob@example.com'],
    ['请访问https://evil.example/a查看', 'evil.example'],
    ['ｅｖｉｌ．ｅｘａｍｐｌｅ', 'evil.example'],
    ['еvil.ехаmple', 'evil.example'],
    ['ev\u200bil.exa\u00admple', 'evil.example'],
    ['EVIL.EXAMPLE', 'evil.example'],
    ['\u{e0065}\u{e0076}\u{e0069}\u{e006c}', 'evil'],
    ['grüße an Zoë', 'ZOË'],
  ])('%s holds %s', (text, word) => {
    expect(holds(text, word)).toBe(true);
  });

  it('leaves single letters out and tells words apart', () => {
    expect(tokensOf('a b c 1 2')).toEqual([]);
    expect(holds('evil.example.org', 'evil.example')).toBe(false);
  });

  it('keeps each once, in order of appearance', () => {
    const [first, second] = [tokensOf('alpha')[0], tokensOf('beta')[0]];
    expect(tokensOf('alpha beta alpha BETA Alpha')).toEqual([first, second]);
  });

  it('prefers what tells something where there is no room for all', () => {
    const plain = Array.from(
      { length: 300 },
      (_, index) => `w${String.fromCharCode(97 + (index % 26), 97 + Math.floor(index / 26))}`,
    );
    const text = `${plain.join(' ')} bob@example.com order-4711 ${plain.join('x ')}`;
    const kept = tokensOf(text, 16);
    expect(kept).toHaveLength(16);
    for (const word of ['bob@example.com', 'order-4711', 'waa']) expect(kept).toContain(tokensOf(word)[0]);
  });

  it('differs between tenants and between deployments', () => {
    const others = [provenanceKey(Buffer.alloc(32, 7), 'other'), provenanceKey(Buffer.alloc(32, 8), 'acme')];
    for (const other of others)
      expect(wordTokens(['bob@example.com'], other, 8)).not.toEqual(tokensOf('bob@example.com', 8));
  });

  it('is the same however often and after whatever it is computed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, between) => {
        const before = tokensOf(text);
        tokensOf(between);
        expect(tokensOf(text)).toEqual(before);
      }),
      { numRuns: 25 },
    );
  });

  it('never keeps more than it may, of any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 500 }), fc.integer({ min: 1, max: 20 }), (text, max) => {
        expect(tokensOf(text, max).length).toBeLessThanOrEqual(max);
      }),
    );
  });
});

describe('token sets', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 64 }),
        (tokens) => {
          expect([...decodeTokens(encodeTokens(tokens))]).toEqual(tokens);
        },
      ),
    );
  });

  it('are read from any text', () => {
    expect([...decodeTokens('AAAAAQ')]).toEqual([1]);
    expect([...decodeTokens('AAA')]).toEqual([]);
    expect([...decodeTokens('!!')]).toEqual([]);
  });
});
