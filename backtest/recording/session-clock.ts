/**
 * Time of a recording as one log would have seen it. Runs that were recorded apart each begin at their own time; a run that
 * begins before what has already been played is moved, as a whole, to after it: by whole days where it is more than a day
 * early, so that the hour stays. Records inside a run keep their distances, wrong ones too.
 */
export interface SessionClock {
  /** The record's time in milliseconds, as it is played. */
  timeOf(session: string, timeMs: number): number;
  /** Append time of a record of that time: never before the one before. */
  appendTimeOf(timeMs: number): number;
  /** Forgets a session that has ended. */
  forget(session: string): void;
  nowMs(): number;
}

const DAY_MS = 24 * 3_600_000;
/** Overlapping runs are played as they overlap. */
const OVERLAP_MS = 60_000;

export function createSessionClock(): SessionClock {
  const shifts = new Map<string, number>();
  let latestMs = 0;
  let appendMs = 0;

  function shiftFor(timeMs: number): number {
    const behindMs = latestMs - timeMs;
    if (behindMs <= OVERLAP_MS) return 0;
    return behindMs < DAY_MS ? behindMs : Math.ceil(behindMs / DAY_MS) * DAY_MS;
  }

  return {
    timeOf(session, timeMs) {
      let shiftMs = shifts.get(session);
      if (shiftMs === undefined) {
        shiftMs = shiftFor(timeMs);
        shifts.set(session, shiftMs);
      }
      const playedMs = timeMs + shiftMs;
      if (playedMs > latestMs) latestMs = playedMs;
      return playedMs;
    },
    appendTimeOf(timeMs) {
      if (timeMs > appendMs) appendMs = timeMs;
      return appendMs;
    },
    forget: (session) => shifts.delete(session),
    nowMs: () => latestMs,
  };
}
