import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addFading, fadedAt, newFadingCount } from '../../../detectors/counters/fading-count.ts';
import { admit, newFloodGuard } from '../../../detectors/counters/flood-guard.ts';

const halfLifeMs = 60_000;
const startMs = Date.UTC(2026, 0, 5);

describe('a fading count', () => {
  it('halves with each half-life', () => {
    const count = newFadingCount();
    for (let index = 0; index < 64; index += 1) addFading(count, startMs, halfLifeMs);
    const after = [0, 1, 2, 3, 6, 7].map((lives) => fadedAt(count, startMs + lives * halfLifeMs, halfLifeMs));
    expect(after).toEqual([64, 32, 16, 8, 1, 1]);
    expect(fadedAt(count, startMs + 400 * halfLifeMs, halfLifeMs)).toBe(0);
  });

  it('reaches five with five in fifteen seconds, and never with one in half a minute', () => {
    const [fast, slow] = [newFadingCount(), newFadingCount()];
    expect([0, 4, 8, 11, 15].map((sec) => addFading(fast, startMs + sec * 1000, halfLifeMs))).toContain(5);
    const all = Array.from({ length: 500 }, (_, index) =>
      addFading(slow, startMs + index * 30_000, halfLifeMs),
    );
    expect(Math.max(...all)).toBe(3);
  });

  it('never grows by waiting, whatever the order of times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 50 }), (times) => {
        const count = newFadingCount();
        for (const time of times) {
          const before = fadedAt(count, startMs + time, halfLifeMs);
          expect(addFading(count, startMs + time, halfLifeMs)).toBeLessThanOrEqual(before + 1);
          expect(fadedAt(count, startMs + time + 60_000, halfLifeMs)).toBeLessThanOrEqual(before + 1);
        }
        expect(count.value).toBeLessThanOrEqual(times.length * 256);
      }),
    );
  });
});

describe('a flood guard', () => {
  it('lets through as many as its limit, says which is the last, and opens again when half of them have faded', () => {
    const guard = newFloodGuard();
    const answers = Array.from({ length: 100 }, (_, index) => admit(guard, startMs + index, 10));
    expect(answers.filter((answer) => answer !== 'no')).toHaveLength(10);
    expect(answers[9]).toBe('last');
    expect(admit(guard, startMs + 3_000_000, 10)).toBe('no');
    expect(admit(guard, startMs + 2 * 3_600_000, 10)).toBe('yes');
  });
});
