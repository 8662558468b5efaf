import type { DetectConfig } from '../schemas/config.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import { sketchQuantile } from './counters/sketch-quantile.ts';
import type { CallFacts, DetectEvent, Raise } from './detector.ts';
import { describeLatency } from './health-words.ts';
import {
  addSize,
  bucketCeiling,
  newSizeSketch,
  sizeBucket,
  type SizeSketch,
} from './learning/size-sketch.ts';

/** How long calls of one tool take, in milliseconds. */
interface Latency {
  /** Of closed sessions without an open alert. */
  readonly usual: SizeSketch;
  /** Buckets of the last calls, whoever made them. */
  readonly recent: number[];
  readonly recentIds: string[];
  isSlow: boolean;
}

export type Latencies = Map<number, Latency>;

export interface LatencySession {
  /** Tool, bucket and call of what the session saw. */
  readonly samples: { readonly tool: number; readonly bucket: number; readonly call: number }[];
}

const maxTools = 256;
const maxSamples = 64;
const recentCalls = 20;
const maxEvidence = 8;
const dayMs = 24 * 3_600_000;

export function judgeLatency(
  config: DetectConfig['health'],
  { event }: DetectEvent,
  call: CallFacts,
  latencies: Latencies,
  session: LatencySession,
  raise: Raise,
): void {
  const tookMs = durationMs(event.time_unix_nano, event.end_time_unix_nano);
  // Several observers of one call measure it each: the first counts.
  if (tookMs === undefined || session.samples.some(({ call: index }) => index === call.index)) return;
  const bucket = sizeBucket(tookMs);
  pushBounded(session.samples, { tool: call.toolHash, bucket, call: call.index }, maxSamples);
  const latency = keptEntry(latencies, call.toolHash, maxTools, newLatency, ({ usual }) => usual.count >= 20);
  pushBounded(latency.recent, bucket, recentCalls);
  pushBounded(latency.recentIds, event.event_id, maxEvidence);
  if (latency.recent.length < recentCalls || latency.usual.count < config.learning_calls) return;
  const sorted = [...latency.recent].sort((one, other) => one - other);
  const p95 = bucketCeiling(sorted[recentCalls - 2] ?? 0);
  const middle = bucketCeiling(sorted[recentCalls / 2 - 1] ?? 0);
  const usualP95 = sketchQuantile(latency.usual, 950);
  const usualMiddle = sketchQuantile(latency.usual, 500);
  const isSlow =
    p95 >= config.latency_min_ms &&
    p95 >= config.latency_ratio * usualP95 &&
    // Two slow calls of twenty are no shift.
    2 * middle >= config.latency_ratio * usualMiddle;
  if (isSlow && !latency.isSlow)
    raise(describeLatency(call, p95, usualP95, latency.usual.count, recentCalls, latency.recentIds));
  latency.isSlow = isSlow;
}

export function learnLatency(latencies: Latencies, { samples }: LatencySession): void {
  for (const { tool, bucket } of samples)
    addSize(keptEntry(latencies, tool, maxTools, newLatency, ({ usual }) => usual.count >= 20).usual, bucket);
}

function newLatency(): Latency {
  return { usual: newSizeSketch(), recent: [], recentIds: [], isSlow: false };
}

function durationMs(startNano: string, endNano: string | undefined): number | undefined {
  if (endNano === undefined) return undefined;
  const ms = Number(endNano.slice(0, -6)) - Number(startNano.slice(0, -6));
  return ms < 0 || ms > dayMs ? undefined : ms;
}
