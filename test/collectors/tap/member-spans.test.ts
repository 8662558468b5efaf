import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elementSpans, memberSpans } from '../../../collectors/tap/member-spans.ts';

const whole = (json: Uint8Array) => ({ start: 0, end: json.length });
const textAt = (json: Uint8Array, span: { start: number; end: number }) =>
  Buffer.from(json.subarray(span.start, span.end)).toString('utf8');

/** JSON text of a value with the given white space wherever JSON allows it. */
function spaced(value: unknown, space: string): string {
  if (Array.isArray(value))
    return `[${space}${value.map((item) => spaced(item, space)).join(`${space},${space}`)}${space}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}${space}:${space}${spaced(member, space)}`,
  );
  return `{${space}${members.join(`${space},${space}`)}${space}}`;
}

const space = fc.constantFrom('', ' ', '\t\r ', '  ');

test('every member is found at exactly its text, in any JSON and any spacing', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue()), space, (value, between) => {
      const json = Buffer.from(spaced(value, between));
      const names = new Set(Object.keys(value));
      const { spans, repeated } = memberSpans(json, whole(json), names);
      expect(repeated).toBe(false);
      expect([...spans.keys()].sort()).toEqual([...names].sort());
      for (const [name, span] of spans) expect(textAt(json, span)).toBe(spaced(value[name], between));
    }),
  );
});

test('every element of an array is found at exactly its text', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), space, (value, between) => {
      const json = Buffer.from(spaced(value, between));
      const found = [...elementSpans(json, whole(json))].map((span) => textAt(json, span));
      expect(found).toEqual(value.map((element) => spaced(element, between)));
    }),
  );
});

test('strings with escaped quotes, backslashes and brackets do not mislead', () => {
  const json = Buffer.from(
    String.raw`{"a":"}]\"\\\\\"${'x'.repeat(60)}\\","b":"\\","arguments":{"k":"\\\\\"]}"},"c":1}`,
  );
  const { spans } = memberSpans(json, whole(json), new Set(['arguments', 'c']));
  expect(textAt(json, spans.get('arguments')!)).toBe(String.raw`{"k":"\\\\\"]}"}`);
  expect(textAt(json, spans.get('c')!)).toBe('1');
});

test('a name written with escapes is the same name', () => {
  const json = Buffer.from(String.raw`{"re\u0073ult":[1, 2]}`);
  expect(textAt(json, memberSpans(json, whole(json), new Set(['result'])).spans.get('result')!)).toBe(
    '[1, 2]',
  );
});

test('of a repeated member the last counts, as in JSON.parse, and the repetition is told', () => {
  const json = Buffer.from('{"params":1,"params":22}');
  const { spans, repeated } = memberSpans(json, whole(json), new Set(['params']));
  expect(textAt(json, spans.get('params')!)).toBe('22');
  expect(repeated).toBe(true);
});
