import { describe, expect, it } from 'vitest';
import { argumentNames } from '../../../collectors/normalize/argument-names.ts';

const parsed = (text: string) => argumentNames(JSON.parse(text));

describe('names and types of arguments', () => {
  it.each([
    ['"some words"', 'text'],
    ['"12a"', 'text'],
    ['"2026-11-21"', 'text'],
    ['"12 EUR"', 'text'],
    ['"."', 'text'],
    ['"1,2"', 'text'],
    ['"' + '9'.repeat(43) + '"', 'text'],
    ['12', 'number'],
    ['-0.5', 'number'],
    ['"12"', 'number'],
    ['" -12.75 "', 'number'],
    ['"1e-7"', 'number'],
    ['"+.5"', 'number'],
    ['"1,250.00"', 'number'],
    ['"5 %"', 'number'],
    ['true', 'boolean'],
    ['"False"', 'boolean'],
    ['"yes"', 'boolean'],
    ['null', 'null'],
    ['""', 'null'],
    ['"None"', 'null'],
    ['"N/A"', 'null'],
    ['[]', 'array'],
    ['["a"]', 'array'],
    ['{}', 'object'],
  ])('%s reads as %s', (value, type) => {
    expect(parsed(`{"a":${value}}`)).toEqual({ keys: ['a'], types: [type] });
  });

  it('are in the same order, also where a name is redacted', () => {
    expect(parsed('{"b":1,"mallory@evil.example":[],"a":"x","__proto__":{}}')).toEqual({
      keys: ['[redacted:email]', '__proto__', 'a', 'b'],
      types: ['array', 'object', 'text', 'number'],
    });
  });

  it('are none of what has no members', () => {
    for (const given of ['text', 5, null, undefined, [1, 2], {}])
      expect(argumentNames(given)).toBeUndefined();
  });
});
