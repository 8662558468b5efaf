import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clip, redactIdentity, redactText, redactValue } from '../../../collectors/normalize/redact.ts';
import { CUT, SECRETS } from './secrets.ts';

const lookAlikes = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/redaction/look-alikes.json'), 'utf8'),
) as string[];

describe('redactText', () => {
  it.each(SECRETS)('replaces a $type in "$text"', ({ type, text, secret }) => {
    const redacted = redactText(text);
    expect(redacted.text).not.toContain(secret);
    expect(redacted.text).toContain(`[redacted:${type}]`);
    expect(redacted.counts[type]).toBeGreaterThanOrEqual(1);
  });

  it.each(SECRETS)('is idempotent and counts nothing twice: $type in "$text"', ({ text }) => {
    const once = redactText(text);
    expect(redactText(once.text)).toEqual({ text: once.text, counts: {} });
  });

  it.each(SECRETS)('finds a $type inside a JSON string inside a JSON string', ({ text, secret }) => {
    const nested = JSON.stringify({ outer: JSON.stringify({ inner: text }) });
    expect(redactText(nested).text).not.toContain(secret);
  });

  it.each(lookAlikes)('leaves "%s" alone', (text) => {
    expect(redactText(text)).toEqual({ text, counts: {} });
  });

  it('keeps what surrounds a secret', () => {
    expect(redactText('{"user":"bob","password":"x","n":1}').text).toBe(
      '{"user":"bob","password":"[redacted:secret]","n":1}',
    );
    expect(redactText('a=1&password=x&b=2').text).toBe('a=1&password=[redacted:secret]&b=2');
  });

  it('never lets a known secret through, whatever is around it', () => {
    const around = fc.string({ maxLength: 20 }).filter((text) => !/[\w\\.@~+/=%-]$/.test(text));
    fc.assert(
      fc.property(
        fc.constantFrom(...SECRETS.filter(({ text }) => text.startsWith('use '))),
        around,
        around,
        (known, a, b) => {
          const text = `${a} ${known.secret} ${b}`;
          expect(redactText(text).text).not.toContain(known.secret);
        },
      ),
    );
  });

  it('is idempotent on any text made of the things it looks for', () => {
    const piece = fc.constantFrom(
      ...SECRETS.map(({ text }) => text),
      ...lookAlikes,
      ...[
        '"',
        "'",
        '\\',
        '{',
        '}',
        ':',
        '=',
        ' ',
        '\n',
        '@',
        '[redacted:secret]',
        '[redacted:',
        'password',
        '://',
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const once = redactText(pieces.join('')).text;
        expect(redactText(once).text).toBe(once);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ...[
      'eyJ',
      '@',
      'password=',
      '"',
      '\\',
      '\\u0070',
      '-----BEGIN',
      'a@',
      '://',
      '1 ',
      '4111-',
      'GB82',
      'GB82 ',
      'sk-',
      'a.',
    ],
    ...[
      '?sig=',
      '"password":"',
      'password',
      'xox',
      'Bearer ',
      'Bearer a',
      'a:b@',
      '--password ',
      '-----BEGIN PRIVATE KEY-----',
    ],
    ...[
      'eyJaaaaaaaaaa.',
      'password={',
      'password:\\"',
      '%40',
      '1',
      'A1',
      '123-45-',
      'hooks.slack.com/services/',
      '=',
      '8Q~',
    ],
  ])('takes time in proportion to a hostile run of %j', (piece) => {
    const timeMs = (chars: number) => {
      const text = piece.repeat(Math.ceil(chars / piece.length));
      const start = process.cpuUsage();
      redactText(text);
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    };
    // Quadratic work on 1 MB would take minutes; the bound leaves room for a slow machine.
    expect(timeMs(1_000_000)).toBeLessThan(3000);
  });
});

describe('redactIdentity', () => {
  it('keeps the e-mail address that says who acted, and no secret', () => {
    const token = `gh${CUT}p_${'a1B2'.repeat(9)}`;
    expect(redactIdentity(`alice@example.com ${token}`).text).toBe(
      'alice@example.com [redacted:github_token]',
    );
  });
});

describe('redactValue', () => {
  it('replaces the value under a secret name, whatever it is', () => {
    const value = {
      password: ['a', { b: 1 }],
      Cookie: 'x',
      api_key: 5,
      nested: { accessToken: 'y', page_token: 'z' },
    };
    expect(redactValue(value)).toEqual({
      value: {
        password: '[redacted:secret]',
        Cookie: '[redacted:secret]',
        api_key: '[redacted:secret]',
        nested: { accessToken: '[redacted:secret]', page_token: 'z' },
      },
      counts: { secret: 4 },
    });
  });

  it('replaces the value of a name-value pair with a secret name', () => {
    expect(redactValue([{ name: 'Authorization', value: 'swordfish' }]).value).toEqual([
      { name: 'Authorization', value: '[redacted:secret]' },
    ]);
  });

  it('redacts keys too and keeps a key named __proto__ a key', () => {
    const value = JSON.parse('{"alice@example.com":1,"__proto__":{"token":"x"}}') as unknown;
    expect(JSON.stringify(redactValue(value).value)).toBe(
      '{"[redacted:email]":1,"__proto__":{"token":"[redacted:secret]"}}',
    );
  });

  it('ends at a depth instead of the stack', () => {
    let value: unknown = 'swordfish';
    for (let depth = 0; depth < 5000; depth++) value = [value];
    expect(JSON.stringify(redactValue(value).value)).toContain('[redacted:depth]');
  });

  it('is idempotent', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const once = redactValue(value).value;
        expect(redactValue(once)).toEqual({ value: once, counts: {} });
      }),
    );
  });
});

describe('clip', () => {
  it('cuts before a redaction marker, not inside it', () => {
    expect(clip('abc [redacted:secret]', 12)).toBe('abc …');
  });

  it('splits no character and leaves well-formed text within the bound', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer({ min: 1, max: 40 }),
        (text, max) => {
          const clipped = clip(text, max);
          expect(clipped.length).toBeLessThanOrEqual(max);
          expect(clipped.isWellFormed()).toBe(true);
        },
      ),
    );
  });
});
