/** A sum over the last window of event time, in sixteen steps; the steps begin with the first amount. */
export interface SlidingSum {
  originMs: number;
  /** Step and amount, oldest first, at most sixteen. */
  readonly steps: [number, number][];
}

const stepsPerWindow = 16;

export function newSlidingSum(): SlidingSum {
  return { originMs: -1, steps: [] };
}

/** Adds an amount and returns what the window holds. An amount that comes late counts in the step it is of. */
export function addSliding(sum: SlidingSum, amount: number, timeMs: number, windowMs: number): number {
  const stepMs = Math.max(1, Math.floor(windowMs / stepsPerWindow));
  if (sum.originMs < 0 || sum.steps.length === 0) sum.originMs = timeMs;
  const step = Math.floor((timeMs - sum.originMs) / stepMs);
  const latest = sum.steps.at(-1);
  if (latest !== undefined && step <= latest[0]) {
    const own = sum.steps.find(([known]) => known >= step) ?? latest;
    own[1] += amount;
  } else sum.steps.push([step, amount]);
  const newest = sum.steps.at(-1)?.[0] ?? step;
  while (sum.steps[0] !== undefined && sum.steps[0][0] <= newest - stepsPerWindow) sum.steps.shift();
  return sum.steps.reduce((total, [, part]) => total + part, 0);
}
