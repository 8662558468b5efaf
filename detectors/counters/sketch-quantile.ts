import { bucketCeiling, type SizeSketch } from '../learning/size-sketch.ts';

/** The value below which so many in a thousand lie, as the upper end of its bucket; 0 of an empty sketch. */
export function sketchQuantile(sketch: SizeSketch, permille: number): number {
  const beyond = Math.floor((sketch.count * (1000 - permille)) / 1000);
  let above = 0;
  for (let bucket = sketch.buckets.length - 1; bucket >= 0; bucket -= 1) {
    above += sketch.buckets[bucket] ?? 0;
    if (above > beyond) return bucketCeiling(bucket);
  }
  return 0;
}
