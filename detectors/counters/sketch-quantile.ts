import { bytesBelow, type SizeSketch } from '../learning/size-sketch.ts';

/** The value below which so many in a thousand lie, as the upper end of its bucket; 0 of an empty sketch. */
export function sketchQuantile(sketch: SizeSketch, permille: number): number {
  return bytesBelow(sketch, Math.floor((sketch.count * (1000 - permille)) / 1000));
}
