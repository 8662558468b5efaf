/**
 * Who holds the most: every count change and the answer take constant time. When the engine is full the largest
 * holder gives way, so one tenant's flood of sessions closes that tenant's sessions and nobody else's. Ties go to
 * who has held that many the longest.
 */
export interface FairShare<Holder> {
  /** Moves the holder from one count to another. */
  move(holder: Holder, from: number, to: number): void;
  largest(): Holder | undefined;
}

export function createFairShare<Holder>(): FairShare<Holder> {
  const byCount = new Map<number, Set<Holder>>();
  let maxCount = 0;
  return {
    move(holder, from, to) {
      byCount.get(from)?.delete(holder);
      if (to > 0) {
        const holders = byCount.get(to);
        if (holders === undefined) byCount.set(to, new Set([holder]));
        else holders.add(holder);
        if (to > maxCount) maxCount = to;
      }
      while (maxCount > 0 && (byCount.get(maxCount)?.size ?? 0) === 0) {
        byCount.delete(maxCount);
        maxCount -= 1;
      }
      if (from !== maxCount && byCount.get(from)?.size === 0) byCount.delete(from);
    },
    largest() {
      return byCount.get(maxCount)?.values().next().value;
    },
  };
}
