import { grouped } from '../../detectors/grouped.ts';
import type { SessionLabel } from './labels.ts';
import { taskOf } from './folds.ts';
import type { Scored } from './play-recording.ts';
import { qualityOf, type Quality } from './quality.ts';

/** Bounds between which a figure lay in nine of ten draws. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

const DRAWS = 200;

/**
 * How far a figure depends on which tasks were recorded: tasks are drawn with repetition, as many as there are, and the
 * sessions of those drawn are judged. The draws are the same each time.
 */
export function taskIntervals(
  labels: readonly SessionLabel[],
  lines: readonly Scored[],
  figures: readonly ((quality: Quality) => number)[],
): Interval[] {
  const tasks = [...grouped(labels, taskOf).values()];
  const next = createDraws(tasks.length);
  const drawn = figures.map((): number[] => []);
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const chosen = tasks.flatMap(() => tasks[next()] ?? []);
    const quality = qualityOf(chosen, lines);
    for (const [index, figure] of figures.entries()) {
      const value = figure(quality);
      if (Number.isFinite(value)) drawn[index]?.push(value);
    }
  }
  return drawn.map((values) => {
    values.sort((a, b) => a - b);
    const at = (share: number) => values[Math.round(share * (values.length - 1))] ?? Number.NaN;
    return { low: at(0.05), high: at(0.95) };
  });
}

/** Numbers below `bound`, from a 32-bit xorshift generator with a fixed seed. */
function createDraws(bound: number): () => number {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % Math.max(1, bound);
  };
}
