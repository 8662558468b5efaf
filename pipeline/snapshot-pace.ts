/**
 * When the partitions of a worker take their snapshots: each after the configured interval, one at a time, and all of
 * them together for at most one part in `SHARE` of the time, because snapshots of many open sessions are large.
 */
export interface SnapshotPace {
  /** Takes the snapshot if it is time; says whether it did. */
  take(lastMs: number, snapshot: () => Promise<void>): Promise<boolean>;
}

const SHARE = 8;

export function createSnapshotPace(intervalMs: number, clock: { nowMs(): number }): SnapshotPace {
  let nextMs = 0;
  let isTaking = false;
  return {
    async take(lastMs, snapshot) {
      const beganMs = clock.nowMs();
      if (isTaking || beganMs < nextMs || beganMs - lastMs < intervalMs) return false;
      isTaking = true;
      try {
        await snapshot();
      } finally {
        isTaking = false;
      }
      const endedMs = clock.nowMs();
      nextMs = endedMs + (endedMs - beganMs) * SHARE;
      return true;
    },
  };
}
