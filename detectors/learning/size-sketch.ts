/**
 * Distribution of sizes in half-octave buckets, decayed by halving; bounded in size and error (a factor of 1.42). The
 * array is as long as its highest bucket needs: typed arrays would live outside the heap and cost collections.
 */
export interface SizeSketch {
  count: number;
  readonly buckets: number[];
}

const bucketCount = 72;
const window = 4096;
const halfOctave = 1.4142135623730951;

export function newSizeSketch(): SizeSketch {
  return { count: 0, buckets: [] };
}

export function sizeBucket(bytes: number): number {
  if (bytes < 1) return 0;
  let exponent = 0;
  let rest = bytes;
  while (rest >= 2) {
    rest /= 2;
    exponent += 1;
  }
  return Math.min(bucketCount - 1, 1 + exponent * 2 + (rest >= halfOctave ? 1 : 0));
}

/** Largest size that falls into the bucket, in bytes. */
export function bucketCeiling(bucket: number): number {
  if (bucket === 0) return 0;
  const power = 2 ** Math.floor((bucket - 1) / 2);
  return Math.floor(bucket % 2 === 1 ? power * halfOctave : power * 2);
}

export function addSize(sketch: SizeSketch, bucket: number): void {
  if (sketch.count >= window) {
    sketch.count = 0;
    for (let index = 0; index < sketch.buckets.length; index += 1) {
      sketch.buckets[index] = (sketch.buckets[index] ?? 0) >> 1;
      sketch.count += sketch.buckets[index] ?? 0;
    }
  }
  while (sketch.buckets.length <= bucket) sketch.buckets.push(0);
  sketch.buckets[bucket] = (sketch.buckets[bucket] ?? 0) + 1;
  sketch.count += 1;
}

export function removeSize(sketch: SizeSketch, bucket: number): void {
  const count = sketch.buckets[bucket] ?? 0;
  if (count === 0) return;
  sketch.buckets[bucket] = count - 1;
  sketch.count -= 1;
}

/**
 * 99th percentile in bytes; `undefined` below `minCount` values. Below 100 values the single largest is left out, or one
 * huge value would hide the next for a hundred calls.
 */
export function p99Bytes(sketch: SizeSketch, minCount: number): number | undefined {
  const { count } = sketch;
  if (count < minCount) return undefined;
  return bytesBelow(sketch, Math.max(Math.floor(count / 100), count >= 20 ? 1 : 0));
}

/** The size that at most `beyond` of the values are larger than, as the upper end of its bucket; 0 of an empty sketch. */
export function bytesBelow({ buckets }: SizeSketch, beyond: number): number {
  let above = 0;
  for (let bucket = buckets.length - 1; bucket >= 0; bucket -= 1) {
    above += buckets[bucket] ?? 0;
    if (above > beyond) return bucketCeiling(bucket);
  }
  return 0;
}
