import type { Clock } from '../runtime/clock.ts';

/** Says whether one more request of this sender is within its rate. */
export type RateLimit = (sender: string) => boolean;

const SENDERS_MAX = 10_000;
const BURST_SECONDS = 1;

interface Bucket {
  level: number;
  atMs: number;
}

/**
 * A token bucket per sender that holds one second's worth. At most 10 000 senders are remembered; beyond that the
 * one not seen for longest is forgotten (and starts full again).
 */
export function rateLimit(perSecondMax: number, clock: Clock): RateLimit {
  const buckets = new Map<string, Bucket>();
  const capacity = perSecondMax * BURST_SECONDS;
  return (sender) => {
    const nowMs = clock.nowMs();
    const bucket = buckets.get(sender) ?? { level: capacity, atMs: nowMs };
    // Last seen stands last in the map. A clock that steps back refills nothing.
    buckets.delete(sender);
    buckets.set(sender, bucket);
    if (buckets.size > SENDERS_MAX) {
      const oldest = buckets.keys().next();
      if (!oldest.done) buckets.delete(oldest.value);
    }
    const elapsedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.level = Math.min(capacity, bucket.level + (elapsedMs / 1000) * perSecondMax);
    bucket.atMs = nowMs;
    if (bucket.level < 1) return false;
    bucket.level -= 1;
    return true;
  };
}
