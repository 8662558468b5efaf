import { sketchQuantile } from './counters/sketch-quantile.ts';
import { keptEntry } from './counters/kept-entry.ts';
import { addSize, bucketCeiling, removeSize, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';

/** What good sessions sent to one destination. */
export interface UsualVolume {
  sessions: number;
  firstMs: number;
  /** The day of the sum below, and the sum. */
  day: number;
  dayBytes: number;
  /** Bucket of the fullest day. */
  peak: number;
}

interface Habits {
  readonly usual: Map<number, UsualVolume>;
  readonly days: SizeSketch;
}

const maxUsual = 2048;

export function learnDestination(
  { usual, days }: Habits,
  hash: number,
  bytes: number,
  lastMs: number,
  dayMs: number,
): void {
  const known = keptEntry(
    usual,
    hash,
    maxUsual,
    () => ({ sessions: 0, firstMs: lastMs, day: 0, dayBytes: 0, peak: -1 }),
    ({ sessions }) => sessions > 1,
  );
  known.sessions += 1;
  const day = Math.floor(lastMs / dayMs);
  if (day > known.day) {
    known.day = day;
    known.dayBytes = 0;
  }
  known.dayBytes += bytes;
  const peak = sizeBucket(known.dayBytes);
  if (peak <= known.peak) return;
  if (known.peak >= 0) removeSize(days, known.peak);
  addSize(days, peak);
  known.peak = peak;
}

/** Bytes a day to one destination that are nothing special here. */
export function usualDayBytes({ days }: Habits, floorBytes: number, knownDestinations: number): number {
  return days.count < knownDestinations ? floorBytes : Math.max(floorBytes, sketchQuantile(days, 990));
}

/** The fullest day that good sessions of the past had. */
export function peakDayBytes({ peak }: UsualVolume): number {
  return bucketCeiling(Math.max(0, peak));
}
