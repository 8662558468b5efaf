import { pushBounded } from './kept-entry.ts';

/** The last few times something happened, with the events that told it. */
export interface RecentTimes {
  readonly timesMs: number[];
  readonly eventIds: string[];
}

export function newRecentTimes(): RecentTimes {
  return { timesMs: [], eventIds: [] };
}

/**
 * Adds one time and returns the time that the last `count` took together; `undefined` while there are fewer. Events a little out of
 * order do no harm: earliest and latest count, not first and last.
 */
export function addTime(
  { timesMs, eventIds }: RecentTimes,
  timeMs: number,
  eventId: string,
  count: number,
): number | undefined {
  pushBounded(timesMs, timeMs, count);
  pushBounded(eventIds, eventId, count);
  return timesMs.length < count ? undefined : Math.max(...timesMs) - Math.min(...timesMs);
}

export function clearTimes({ timesMs, eventIds }: RecentTimes): void {
  timesMs.length = 0;
  eventIds.length = 0;
}
