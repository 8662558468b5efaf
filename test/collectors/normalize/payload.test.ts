import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyedDigest } from '../../../collectors/normalize/keyed-digest.ts';
import { describePayload } from '../../../collectors/normalize/payload.ts';
import { limits } from '../../../schemas/event/limits.ts';

const digestKey = Buffer.alloc(32, 7);
const describeIt = (value: unknown, more = {}) =>
  describePayload(value, { digestKey, role: 'arguments', ...more });

describe('describePayload', () => {
  it('gives JSON text, a Map and an object the same digest, whatever the order of members', () => {
    const digests = [
      '{"b":[1,{"c":null}],"a":"x"}',
      ' { "a" : "x", "b" : [1.0, {"c":null}] } ',
      { a: 'x', b: [1, { c: null }] },
      new Map<string, unknown>([
        ['b', [1n, new Map([['c', null]])]],
        ['a', 'x'],
      ]),
    ].map((value) => describeIt(value).payload.digest);
    expect(new Set(digests).size).toBe(1);
  });

  it('digests the value before redaction', () => {
    const [one, two] = ['a', 'b'].map((password) => describeIt({ password }).payload);
    expect(one?.summary).toBe(two?.summary);
    expect(one?.digest).not.toBe(two?.digest);
  });

  it('counts the bytes of the value, or takes the size on the wire', () => {
    expect(describeIt('grün').payload).toMatchObject({ size_bytes: 5, size_source: 'payload' });
    expect(describeIt({ a: 1 }).payload.size_bytes).toBe(7);
    expect(describeIt('x', { wireBytes: 99, sizeSource: 'attribute' }).payload).toMatchObject({
      size_bytes: 99,
      size_source: 'attribute',
    });
  });

  it('has no summary of nothing', () => {
    expect(describeIt('').payload.summary).toBeUndefined();
    expect(describeIt({}).payload.summary).toBe('{}');
  });

  it('cuts the summary after redaction', () => {
    const token = ['gh', 'p_', 'a1B2'.repeat(9)].join('');
    const { payload } = describeIt(`${'x'.repeat(limits.summaryChars - 20)} ${token}`);
    expect(payload.summary?.length).toBeLessThanOrEqual(limits.summaryChars);
    expect(payload.summary).not.toContain('a1B2');
  });

  it('drops the last word of a value that was cut before', () => {
    expect(describeIt('first gh', { truncated: true }).payload).toMatchObject({
      summary: 'first ',
      size_source: 'truncated_payload',
    });
  });

  it('looks for destinations only where it is asked to', () => {
    expect(describeIt({ url: 'https://a.example/' }).destinations).toEqual(['a.example']);
    expect(describeIt({ url: 'https://a.example/' }, { role: 'result' }).destinations).toEqual([]);
    expect(describeIt('{"url":"https:\\/\\/\\u0061.example"}').destinations).toEqual(['a.example']);
  });

  it.each<[string, unknown]>([
    ['1e999', '{"a":1e999}'],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['NaN', { a: NaN }],
    ['bytes', Buffer.from('abc')],
    ['nesting beyond reason', `${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['undefined', undefined],
    ['broken JSON', '{"a":'],
  ])('takes %s', (_name, value) => {
    expect(describeIt(value).payload.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('keyedDigest', () => {
  it('is HMAC-SHA256 for any key and text', () => {
    const keys = fc.uint8Array({ minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(keys, fc.string({ unit: 'grapheme', maxLength: 1200 }), (key, text) => {
        expect(keyedDigest(key, text)).toBe(createHmac('sha256', key).update(text).digest('hex'));
      }),
    );
  });
  it('is HMAC-SHA256 around the length where the way changes, with characters of three bytes', () => {
    for (const length of [1023, 1024, 1025])
      expect(keyedDigest(digestKey, '€'.repeat(length))).toBe(
        createHmac('sha256', digestKey).update('€'.repeat(length)).digest('hex'),
      );
  });
});
