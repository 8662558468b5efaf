import { describe, expect, it } from 'vitest';
import { lookAlikeOf, plainLetters } from '../../detectors/look-alike.ts';

const known = new Set(['github', 'payments-api', 'files', 'db-1', 'ml', 'corpmail']);
const like = (name: string) => lookAlikeOf(name, (one) => known.has(one));

describe('a look-alike', () => {
  it.each([
    ['gіthub', 'github', 'same-looking'],
    ['GitHub', 'github', 'same-looking'],
    ['payments_api', 'payments-api', 'same-looking'],
    ['paymentsapi', 'payments-api', 'one-letter'],
    ['cοrpmail', 'corpmail', 'same-looking'],
    ['c0rpmail', 'corpmail', 'same-looking'],
    ['corprnail', 'corpmail', 'same-looking'],
    ['git\u200bhub', 'github', 'same-looking'],
    ['gíthub', 'github', 'same-looking'],
    ['githab', 'github', 'one-letter'],
    ['gihtub', 'github', 'one-letter'],
    ['githubb', 'github', 'one-letter'],
    ['githb', 'github', 'one-letter'],
  ])('%s is taken for %s (%s)', (name, as, kind) => expect(like(name)).toEqual({ known: as, kind }));

  it.each(['github', 'db-2', 'files2', 'gitlab', 'payments', 'mm', 'x'.repeat(5000), '', '💥💥💥💥'])(
    'is not %s',
    (name) => expect(like(name)).toBeUndefined(),
  );

  it('costs at most a few thousand look-ups', () => {
    let count = 0;
    lookAlikeOf('z'.repeat(64), () => {
      count += 1;
      return false;
    });
    expect(count).toBeLessThan(4_500);
  });

  it('reads letters of other alphabets as Latin ones', () => expect(plainLetters('Ｐаураl')).toBe('paypal'));
});
