import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { regexOf } from '../../../../detectors/rules/sigma/regex.ts';
import { SigmaError } from '../../../../detectors/rules/sigma/sigma-error.ts';

const finds = (pattern: string, text: string, ignoreCase = false) =>
  new RegExp(regexOf(pattern, ignoreCase, 'x')).test(text);

describe('a regular expression of a Sigma rule', () => {
  it.each<[string, string, boolean]>([
    ['^ab?c$', 'ac', true],
    ['^a[b-d]{2,3}$', 'abcd', true],
    ['^a[b-d]{2,3}$', 'ab', false],
    ['[\\x{200b}\\x{feff}]', 'a\u200bb', true],
    ['[\\x{200b}\\x{feff}]', 'x{200b}', false],
    ['\\x41\\u0042', 'AB', true],
    ['^[]a]+$', ']a]', true],
    ['^[^]a]+$', 'bc', true],
    ['^[^]a]+$', 'b]', false],
    ['^[a\\]-]+$', 'a]-', true],
    ['^\\w+\\.exe$', 'cmd.exe', true],
    ['^C:\\\\', 'C:\\temp', true],
  ])('means in a condition what it means in PCRE: %s on %j is %s', (pattern, text, expected) => {
    expect(finds(pattern, text)).toBe(expected);
  });

  it.each<[string, string, boolean]>([
    ['^run_[s-t]+$', 'RUN_STST', true],
    ['(?i)^run', 'RUN', true],
    ['^\\x61[\\x62-\\x63]$', 'AC', true],
    ['^[A-z]$', '_', true],
    ['^[0-F]$', 'f', true],
    // Between 0 and F there is no G, in either case.
    ['^[0-F]$', 'G', false],
    ['^[0-F]$', 'g', false],
    ['^\\d\\D$', '1D', true],
    ['^\\d\\D$', 'd1', false],
    ['^a{2}$', 'aA', true],
  ])('without case: %s on %j is %s', (pattern, text, expected) => {
    expect(finds(pattern, text, true)).toBe(expected);
  });

  it.each([
    '\\Aab',
    'ab\\z',
    '\\h+',
    '\\p{L}',
    '\\Q*\\E',
    '\\R',
    '[[:alpha:]]',
    '\\x{e0001}',
    '\\xg',
    '\\u12',
  ])('is refused where a condition would read it as something else: %s', (pattern) => {
    expect(() => regexOf(pattern, false, 'detection.s')).toThrow(SigmaError);
  });

  it('ignores case exactly as a flag would, whatever the class', () => {
    const char = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
    const escaped = char.map((one) => one.replace(/[\\\]^-]/, '\\$&'));
    const item = fc.oneof(
      escaped,
      fc.tuple(char, char).map((pair) => {
        const [from = '', to = ''] = [...pair].sort().map((one) => one.replace(/[\\\]^-]/, '\\$&'));
        return `${from}-${to}`;
      }),
    );
    const body = fc.array(item, { minLength: 1, maxLength: 5 }).map((items) => items.join(''));
    fc.assert(
      fc.property(body, fc.boolean(), char, (items, isNegated, text) => {
        fc.pre(!/\[[:.=]/.test(`[${items}`));
        const pattern = `^[${isNegated ? '^' : ''}${items}]$`;
        expect(finds(pattern, text, true)).toBe(new RegExp(pattern, 'i').test(text));
      }),
      { numRuns: 500 },
    );
  });

  it('is read in time that grows with its length, whatever it is', () => {
    for (const unit of ['[', '\\', '(', '[a-', '\\x{', '[^]'])
      try {
        expect(regexOf(unit.repeat(50_000), true, 'x').length).toBeLessThan(1_000_000);
      } catch (error) {
        expect(error).toBeInstanceOf(SigmaError);
      }
  });
});
