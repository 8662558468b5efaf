/**
 * -log2(p) for p in (0, 1], by repeated doubling and a chord: only additions and multiplications, so that every
 * machine gets the same bits (Math.log2 is not exact everywhere). Error below 0.09 bits.
 */
export function surpriseBits(p: number): number {
  let bits = 0;
  let mantissa = p;
  while (mantissa < 1 && bits < 64) {
    mantissa *= 2;
    bits += 1;
  }
  return bits - (mantissa - 1);
}

/** The highest surprise of each recent session, in quarter bits. */
export interface ScoreHistogram {
  total: number;
  readonly counts: number[];
}

const bucketCount = 128;
const histogramWindow = 512;

export function newScoreHistogram(): ScoreHistogram {
  return { total: 0, counts: [] };
}

export function scoreBucket(bits: number): number {
  return Math.min(bucketCount - 1, Math.floor(bits * 4));
}

/** Puts a session in, or moves it up from its earlier bucket (-1: not in yet). */
export function recordScore(histogram: ScoreHistogram, from: number, to: number): void {
  const { counts } = histogram;
  if (from >= 0 && (counts[from] ?? 0) > 0) {
    counts[from] = (counts[from] ?? 0) - 1;
    histogram.total -= 1;
  }
  if (histogram.total >= histogramWindow) {
    histogram.total = 0;
    for (let bucket = 0; bucket < counts.length; bucket += 1) {
      counts[bucket] = (counts[bucket] ?? 0) >> 1;
      histogram.total += counts[bucket] ?? 0;
    }
  }
  while (counts.length <= to) counts.push(0);
  counts[to] = (counts[to] ?? 0) + 1;
  histogram.total += 1;
}

/**
 * Share of the other recent sessions that stayed strictly below, as `below / (n + 1)`: with n sessions it cannot
 * exceed n / (n + 1), so a threshold of 0.95 needs 20 of them.
 */
export function percentile(histogram: ScoreHistogram, bucket: number, ownBucket: number): number {
  let below = 0;
  for (let lower = 0; lower < bucket; lower += 1) below += histogram.counts[lower] ?? 0;
  const own = ownBucket >= 0 && (histogram.counts[ownBucket] ?? 0) > 0 ? 1 : 0;
  if (own === 1 && ownBucket < bucket) below -= 1;
  return below / (histogram.total - own + 1);
}
