import { z } from 'zod';
import { KiB, MiB } from './bytes.ts';
import { detectAccess } from './detect-access.ts';
import { detectContent } from './detect-content.ts';
import { detectOperations } from './detect-operations.ts';

export const detect = z.strictObject({
  session_idle_ms: z
    .int()
    .min(1000)
    .max(24 * 3_600_000)
    .default(30 * 60_000),
  sessions_max: z
    .int()
    .min(16)
    .max(1_000_000)
    .default(50_000)
    .describe('open sessions held, least recently seen go first'),
  tenants_max: z.int().min(1).max(100_000).default(10_000),
  snapshot_interval_ms: z
    .int()
    .min(100)
    .max(600_000)
    .default(5_000)
    .describe('at least; longer while snapshots take more than an eighth of the time'),
  shared_statistics: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe('hashes of tool chains that at least three tenants use are shared between tenants'),
      epoch_ms: z
        .int()
        .min(1_000)
        .max(24 * 3_600_000)
        .default(10 * 60_000)
        .describe('what tenants share is seen by the others after one to two of these'),
      wait_ms: z
        .int()
        .min(0)
        .max(3_600_000)
        .default(60_000)
        .describe('how long to wait for a partition that is behind, before going on without it'),
    })
    .prefault({}),
  novel_chain: z
    .strictObject({
      enabled: z.boolean().default(true),
      threshold: z.number().min(0).max(1).default(0.95),
      learning_sessions: z.int().min(1).max(100_000).default(50).describe('sessions before the first alert'),
    })
    .prefault({}),
  exfil: z
    .strictObject({
      enabled: z.boolean().default(true),
      learning_calls: z
        .int()
        .min(1)
        .max(100_000)
        .default(20)
        .describe('calls per tool before its own baseline counts'),
      spike_ratio: z.number().min(1).max(1000).default(4).describe('times the 99th percentile'),
      spike_min_bytes: z
        .int()
        .min(0)
        .default(4 * KiB),
      session_volume_bytes: z
        .int()
        .min(KiB)
        .default(8 * MiB)
        .describe('to one destination within one session'),
    })
    .prefault({}),
  scope_drift: z
    .strictObject({
      enabled: z.boolean().default(true),
      write_ttl_max_sec: z.int().min(1).default(900),
      step_ups: z.int().min(2).max(16).default(3).describe('in one session, after servers asked for more'),
    })
    .prefault({}),
  loop: z
    .strictObject({
      enabled: z.boolean().default(true),
      identical_calls: z.int().min(2).default(4),
      cycle_repeats: z.int().min(2).default(3),
      same_tool_run: z.int().min(3).default(12),
      retries: z.int().min(1).default(5),
      error_run: z.int().min(2).default(4),
      plan_depth: z.int().min(1).default(12),
      depth: z
        .int()
        .min(2)
        .default(45)
        .describe('calls in one session, or the 99.9th percentile where higher'),
      spending_calls: z
        .int()
        .min(2)
        .default(60)
        .describe('calls in one session without progress, or four times the 99th percentile'),
      flood_retries: z
        .int()
        .min(3)
        .max(256)
        .default(20)
        .describe('retries of one actor over several sessions'),
      flood_within_ms: z
        .int()
        .min(1000)
        .max(3_600_000)
        .default(10 * 60_000),
    })
    .prefault({}),
  receipt_gap: z
    .strictObject({
      enabled: z.boolean().default(true),
      within_ms: z
        .int()
        .min(1000)
        .max(24 * 3_600_000)
        .default(15 * 60_000)
        .describe('stream time in which the other half of a call must be seen'),
      learning_calls: z
        .int()
        .min(1)
        .max(100_000)
        .default(20)
        .describe('calls of a server with both halves before the first alert about it'),
    })
    .prefault({}),
  ...detectAccess,
  ...detectContent,
  ...detectOperations,
});
