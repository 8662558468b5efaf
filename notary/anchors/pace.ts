import type { Clock } from '../../runtime/clock.ts';

/** Leaves out what comes too soon after the last that was done. */
export interface Pace {
  isDue(): boolean;
  done(): void;
}

/** The first is always due, and so is the next when the clock was set back. */
export function createPace(intervalMs: number, clock: Clock): Pace {
  let lastMs: number | undefined;
  return {
    isDue() {
      const sinceMs = clock.nowMs() - (lastMs ?? 0);
      return lastMs === undefined || sinceMs < 0 || sinceMs >= intervalMs;
    },
    done: () => void (lastMs = clock.nowMs()),
  };
}
