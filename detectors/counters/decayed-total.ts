/** A sum that halves with every epoch of event time: whole numbers only, so that every machine gets the same bits. */
export interface DecayedTotal {
  epoch: number;
  total: number;
}

export function newDecayedTotal(): DecayedTotal {
  return { epoch: 0, total: 0 };
}

/** What is left of the sum at that time. A time before the last one changes nothing. */
export function decayedAt(sum: DecayedTotal, timeMs: number, halfLifeMs: number): number {
  const epochs = Math.floor(timeMs / halfLifeMs) - sum.epoch;
  if (epochs <= 0) return sum.total;
  return epochs > 52 ? 0 : Math.floor(sum.total / 2 ** epochs);
}

/** Adds a whole amount and returns the sum. */
export function addDecayed(sum: DecayedTotal, amount: number, timeMs: number, halfLifeMs: number): number {
  const total = Math.min(Number.MAX_SAFE_INTEGER, decayedAt(sum, timeMs, halfLifeMs) + amount);
  sum.epoch = Math.max(sum.epoch, Math.floor(timeMs / halfLifeMs));
  sum.total = total;
  return total;
}
