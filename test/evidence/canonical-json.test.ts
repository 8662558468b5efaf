import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, CANONICAL_DEPTH_MAX } from '../../evidence/canonical-json.ts';

/** RFC 8785 read literally and slowly: the oracle. */
function oracle(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oracle).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const units = (text: string) => Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
    const entries = Object.entries(value).sort(([a], [b]) => {
      const [left, right] = [units(a), units(b)];
      for (let index = 0; index < Math.min(left.length, right.length); index++)
        if (left[index] !== right[index]) return left[index]! - right[index]!;
      return left.length - right.length;
    });
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${oracle(item)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

const nested = (depth: number) => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
};

describe('canonicalJson', () => {
  it('gives the example of RFC 8785 §3.2.2 and §3.2.3', () => {
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\u0022/",
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts keys by UTF-16 code units, as in RFC 8785 §3.2.3', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect([...canonicalJson(value).matchAll(/:(\d)/g)].map(([, digit]) => digit).join('')).toBe('2467153');
  });

  it.each([
    [0, '0'],
    [-0, '0'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [9007199254740992, '9007199254740992'],
    [295147905179352830000, '295147905179352830000'],
    [1e21, '1e+21'],
    [9.999999999999997e22, '9.999999999999997e+22'],
    [333333333.33333325, '333333333.33333325'],
    [0.000001, '0.000001'],
    [1e-7, '1e-7'],
    [-3.5, '-3.5'],
  ])('writes the number %d as RFC 8785 appendix B does', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('sorts keys that look like numbers as text, where objects keep them by value', () => {
    expect(canonicalJson({ 10: 1, 9: 2, a: { 2: 1, 11: 2 } })).toBe('{"10":1,"9":2,"a":{"11":2,"2":1}}');
  });

  it('agrees with a second implementation on any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }), (value) => {
        fc.pre(!/\\ud[89a-f]/.test(JSON.stringify(value)));
        expect(canonicalJson(value)).toBe(oracle(value));
      }),
      { numRuns: 1000 },
    );
  });

  it('does not depend on the order members were added in, and parses back to the same value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 8 }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(Object.fromEntries(Object.entries(value).reverse()))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it('gives two different values two texts', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        fc.pre(oracle(a) !== oracle(b));
        expect(canonicalJson(a)).not.toBe(canonicalJson(b));
      }),
    );
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['undefined in an array', [undefined]],
    ['a hole in an array', new Array(2)],
    ['NaN', [NaN]],
    ['Infinity', { a: -Infinity }],
    ['a BigInt', [1n]],
    ['a function', { toJSON: () => 1 }],
    ['a symbol', [Symbol('x')]],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a Buffer', Buffer.from('x')],
    ['a class instance', new URL('http://localhost')],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['nesting beyond the limit', nested(CANONICAL_DEPTH_MAX + 1)],
  ])('refuses %s', (_name, value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  });

  it('refuses a cycle', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(() => canonicalJson(cycle)).toThrow('nesting too deep or a cycle');
  });

  it('takes nesting up to the limit, null prototypes, surrogate pairs and text that spells an escape', () => {
    expect(canonicalJson(nested(CANONICAL_DEPTH_MAX))).toContain('1');
    expect(canonicalJson(Object.assign(Object.create(null) as object, { a: 1 }))).toBe('{"a":1}');
    expect(canonicalJson('😀')).toBe('"😀"');
    expect(canonicalJson('\\ud800')).toBe('"\\\\ud800"');
  });
});
