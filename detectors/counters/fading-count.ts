/**
 * A count that halves with time, in sixteenths of its half-life, by a table: whole numbers only, so that every machine gets the same
 * bits.
 */
export interface FadingCount {
  step: number;
  /** In 1/256. */
  value: number;
}

const stepsPerHalfLife = 16;
const unit = 256;
/** 2 to the power of -k/16, in 1/65536. */
const shares = [
  65536, 62757, 60097, 57549, 55109, 52773, 50535, 48393, 46341, 44376, 42495, 40693, 38968, 37316, 35734,
  34219,
];

export function newFadingCount(): FadingCount {
  return { step: 0, value: 0 };
}

/** What is left at that time, to the nearest whole number. A time before the last one changes nothing. */
export function fadedAt(count: FadingCount, timeMs: number, halfLifeMs: number): number {
  return Math.floor((faded(count, timeMs, halfLifeMs) + unit / 2) / unit);
}

/** Adds one and returns the count, to the nearest whole number. */
export function addFading(count: FadingCount, timeMs: number, halfLifeMs: number): number {
  count.value = Math.min(unit * 1_000_000, faded(count, timeMs, halfLifeMs) + unit);
  count.step = Math.max(count.step, stepOf(timeMs, halfLifeMs));
  return Math.floor((count.value + unit / 2) / unit);
}

function faded({ step, value }: FadingCount, timeMs: number, halfLifeMs: number): number {
  const passed = stepOf(timeMs, halfLifeMs) - step;
  if (passed <= 0 || value === 0) return value;
  const halvings = Math.floor(passed / stepsPerHalfLife);
  if (halvings > 40) return 0;
  const share = shares[passed % stepsPerHalfLife] ?? 0;
  return Math.floor((value * share) / 65536 / 2 ** halvings);
}

function stepOf(timeMs: number, halfLifeMs: number): number {
  return Math.floor((timeMs * stepsPerHalfLife) / halfLifeMs);
}
