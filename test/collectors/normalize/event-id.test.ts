import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventId } from '../../../collectors/normalize/event-id.ts';

describe('eventId', () => {
  it('is a version 8 UUID, the same for the same parts', () => {
    expect(eventId(['a', 'b'])).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(eventId(['a', 'b'])).toBe(eventId(['a', 'b']));
  });
  it('tells any two lists of parts apart, also where they join to the same text', () => {
    const parts = fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(eventId(a)).not.toBe(eventId(b));
      }),
    );
    expect(eventId(['ab', 'c'])).not.toBe(eventId(['a', 'bc']));
  });
});
