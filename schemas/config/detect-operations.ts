import { z } from 'zod';
import { KiB, MiB } from './bytes.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const enabled = z.boolean().default(true);
const count = (least: number) => z.int().min(least).max(1_000_000_000);
const span = (leastMs: number, mostMs: number) => z.int().min(leastMs).max(mostMs);

/** Detectors of volume, operations and the health of the audit itself; part of `detect`. */
export const detectOperations = {
  volume: z
    .strictObject({
      enabled,
      half_life_ms: span(minuteMs, 30 * dayMs)
        .default(dayMs)
        .describe('sums per destination halve in this time'),
      floor_bytes: count(KiB)
        .default(12 * KiB)
        .describe('to one new destination, while fewer destinations than below are known'),
      known_destinations: count(1)
        .default(50)
        .describe('from here on the 99th percentile of the destinations counts'),
      sends_min: count(2).default(8).describe('sends that make a slow drip'),
      new_for_ms: span(minuteMs, 90 * dayMs)
        .default(dayMs)
        .describe('how long a destination is new'),
      request_bytes: count(KiB)
        .default(16 * MiB)
        .describe('sent by one call'),
      session_bytes: count(KiB)
        .default(32 * MiB)
        .describe('sent by one session to all destinations'),
      window_bytes: count(KiB)
        .default(256 * MiB)
        .describe('sent by one actor, as a sum that halves'),
      zone_bytes: count(KiB)
        .default(64 * MiB)
        .describe('sent into one vendor or external zone, as a sum that halves'),
      session_items: count(1).default(100_000).describe('rows or records read by one session'),
    })
    .prefault({}),
  error_rate: z
    .strictObject({
      enabled,
      window_calls: z.int().min(10).max(200).default(50).describe('last calls that are looked at'),
      failures_min: z.int().min(2).max(200).default(6),
      calls_min: z.int().min(2).max(200).default(12).describe('calls before the first alert'),
      p_max: z
        .number()
        .min(1e-12)
        .max(0.1)
        .default(1e-4)
        .describe('chance of as many failures at the usual rate'),
    })
    .prefault({}),
  rate_limit: z
    .strictObject({
      enabled,
      hits: z.int().min(2).max(256).default(8).describe('refusals by a rate limit'),
      within_ms: span(1000, dayMs).default(minuteMs),
      burst_calls: count(2).default(50).describe('calls of one actor within ten seconds, at least'),
      burst_ratio: z.int().min(1).max(1000).default(4).describe('times the usual 99th percentile'),
      learning_sessions: count(1).default(20),
    })
    .prefault({}),
  bulk_change: z
    .strictObject({
      enabled,
      items_max: count(1).default(1000).describe('things changed by one call, or by one tool in a session'),
    })
    .prefault({}),
  duplicate_mutation: z
    .strictObject({
      enabled,
      key_valid_ms: span(minuteMs, 30 * dayMs)
        .default(dayMs)
        .describe('an idempotency key is not reused for so long'),
      retry_within_ms: span(1000, hourMs).default(minuteMs),
    })
    .prefault({}),
  budget: z
    .strictObject({
      enabled,
      warn_percent: z.int().min(1).max(100).default(80),
      anomaly_ratio: z.int().min(2).max(1000).default(4).describe("times the agent's usual day"),
      anomaly_tokens_min: count(1).default(200_000),
      anomaly_usd_min: z.number().positive().max(1_000_000_000).default(5),
      learning_days: z.int().min(1).max(14).default(5),
    })
    .prefault({}),
  supply_chain: z
    .strictObject({
      enabled,
      flip_flops: z.int().min(2).max(32).default(3).describe('changes of version within a day'),
      in_use_ms: span(minuteMs, 90 * dayMs)
        .default(dayMs)
        .describe('a server that was called within this time is in use'),
    })
    .prefault({}),
  config_drift: z.strictObject({ enabled }).prefault({}),
  health: z
    .strictObject({
      enabled,
      silent_calls_day: count(1).default(50).describe('calls a day of a server whose silence is told'),
      silent_ratio: z.int().min(2).max(1000).default(6).describe('times the usual gap between its calls'),
      silent_min_ms: span(minuteMs, 30 * dayMs).default(30 * minuteMs),
      latency_ratio: z.int().min(2).max(1000).default(4).describe('times the usual 95th percentile'),
      latency_min_ms: z.int().min(1).max(hourMs).default(500).describe('latencies below are fine'),
      learning_calls: count(20).default(100).describe('calls of a tool before its latency is judged'),
      queue_depth_min: count(1).default(100).describe('a rising queue is told from this depth on'),
    })
    .prefault({}),
  audit_blindness: z
    .strictObject({
      enabled,
      gap_after_ms: span(1000, dayMs)
        .default(minuteMs)
        .describe('stream time in which a missing sequence number may still come'),
      silent_events_day: count(1).default(200).describe('events a day of a source whose silence is told'),
      silent_ratio: z.int().min(2).max(1000).default(8).describe('times the usual gap between its events'),
      silent_min_ms: span(minuteMs, 30 * dayMs).default(15 * minuteMs),
      attribution_drop: z
        .int()
        .min(1)
        .max(100)
        .default(30)
        .describe('points by which the share of calls with agent and user may fall'),
      skew_ms: span(1000, dayMs)
        .default(5 * minuteMs)
        .describe('between the clocks of sender and collector'),
      skewed_events: count(2).default(10),
      learning_calls: count(20).default(100).describe('calls before a habit counts'),
    })
    .prefault({}),
  local_transport: z.strictObject({ enabled }).prefault({}),
};
