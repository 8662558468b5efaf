import type { DetectConfig } from '../schemas/config.ts';
import { addDistinct, keptEntry } from './counters/kept-entry.ts';
import { addTime, clearTimes, newRecentTimes, type RecentTimes } from './counters/recent-times.ts';
import { sketchQuantile } from './counters/sketch-quantile.ts';
import type { DetectEvent, Raise } from './detector.ts';
import { addSize, newSizeSketch, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';
import { itemHash } from './learning/item-hash.ts';
import { describeDepth, describeRetryFlood, describeSpending } from './loop-words.ts';

export interface LoopTenant {
  /** Calls of each closed session without an open alert. */
  readonly depths: SizeSketch;
  /** Retries by actor, over all its sessions: a counter. */
  readonly retries: Map<number, Retries>;
}

interface Retries {
  readonly times: RecentTimes;
  /** Sessions of them, by hash. */
  readonly sessions: number[];
}

const maxActors = 256;
/** Sessions whose lengths say what is normal here. */
export const learningSessions = 20;

export function newLoopTenant(): LoopTenant {
  return { depths: newSizeSketch(), retries: new Map() };
}

export function learnDepth({ depths }: LoopTenant, calls: number): void {
  if (calls > 0) addSize(depths, sizeBucket(calls));
}

/** Sessions that go on for far longer than others here, above all where most of their calls bring nothing new. */
export function judgeDepth(
  config: DetectConfig['loop'],
  { depths }: LoopTenant,
  calls: number,
  news: number,
  raise: Raise,
): void {
  const isKnown = depths.count >= learningSessions;
  const p999 = isKnown ? sketchQuantile(depths, 999) : 0;
  const depthLimit = Math.max(config.depth, p999);
  if (calls > depthLimit) raise(describeDepth(calls, depthLimit, isKnown ? depths.count : 0));
  const p99 = isKnown ? sketchQuantile(depths, 990) : 0;
  const spendingLimit = Math.max(config.spending_calls, 4 * p99);
  // Twice as long with nothing new is a runaway even where it began well.
  if (calls > spendingLimit && 2 * news < calls)
    raise(describeSpending(calls, news, spendingLimit, isKnown ? p99 : undefined));
}

/** One actor tries again and again, in ever new sessions: each alone is within its limits. */
export function countRetry(
  config: DetectConfig['loop'],
  { retries }: LoopTenant,
  { actorKey, timeMs, event, session }: DetectEvent,
  raise: Raise,
): void {
  const actor = keptEntry(
    retries,
    itemHash(actorKey),
    maxActors,
    () => ({ times: newRecentTimes(), sessions: [] }),
    ({ times }) => times.timesMs.length > 2,
  );
  addDistinct(actor.sessions, itemHash(session.key), floodSessions);
  const tookMs = addTime(actor.times, timeMs, event.event_id, config.flood_retries);
  if (tookMs === undefined || tookMs > config.flood_within_ms) return;
  if (actor.sessions.length < floodSessions) return;
  raise(
    describeRetryFlood(actorKey, config.flood_retries, tookMs, config.flood_within_ms, actor.times.eventIds),
  );
  clearTimes(actor.times);
  actor.sessions.length = 0;
}

/** Fewer sessions are seen by the limits per session. */
const floodSessions = 3;
