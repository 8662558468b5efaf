import { expect, it } from 'vitest';
import { rateLimit } from '../../collectors/rate-limit.ts';

const clock = { ms: 0, nowMs: () => clock.ms };

it('lets one second’s worth through at once and refills with time', () => {
  const within = rateLimit(10, clock);
  const passed = (count: number) => Array.from({ length: count }, () => within('a')).filter(Boolean).length;
  expect(passed(15)).toBe(10);
  clock.ms += 300;
  expect(passed(15)).toBe(3);
  clock.ms += 60_000;
  expect(passed(15)).toBe(10);
});

it('counts each sender apart', () => {
  const within = rateLimit(1, clock);
  expect([within('a'), within('b'), within('a'), within('b')]).toEqual([true, true, false, false]);
});

it('refills nothing when the clock steps back', () => {
  const within = rateLimit(1, clock);
  clock.ms += 10_000;
  within('a');
  clock.ms -= 5_000;
  expect(within('a')).toBe(false);
});

it('forgets the sender not seen for longest, so that its memory is bounded', () => {
  const within = rateLimit(1, clock);
  within('first');
  for (let i = 0; i < 10_000; i++) within(`sender ${i}`);
  expect(within('first')).toBe(true);
  expect(within('sender 9999')).toBe(false);
});
