import { addFading, fadedAt, newFadingCount, type FadingCount } from './fading-count.ts';

/** Lets findings about names from outside through until there are too many: made-up names must not make as many alerts. */
export interface FloodGuard {
  readonly count: FadingCount;
  /** The last finding through was told that more are held back. */
  isFull: boolean;
}

export function newFloodGuard(): FloodGuard {
  return { count: newFadingCount(), isFull: false };
}

const halfLifeMs = 3_600_000;

/** `last`: this is the last one for a while, and should say so. */
export function admit(guard: FloodGuard, timeMs: number, limit: number): 'yes' | 'last' | 'no' {
  if (guard.isFull && fadedAt(guard.count, timeMs, halfLifeMs) > limit / 2) return 'no';
  guard.isFull = addFading(guard.count, timeMs, halfLifeMs) >= limit;
  return guard.isFull ? 'last' : 'yes';
}
