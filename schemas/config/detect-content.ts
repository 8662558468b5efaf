import { z } from 'zod';
import { KiB } from './bytes.ts';

const enabled = z.boolean().default(true);
const learningSessions = z
  .int()
  .min(1)
  .max(100_000)
  .default(20)
  .describe('closed sessions before what was never seen counts as unusual');
const usualPercent = (what: string) => z.int().min(1).max(100).default(20).describe(what);

/** Detectors of what calls hold, what servers offer, and where data goes. */
export const detectContent = {
  unusual_parameters: z
    .strictObject({
      enabled,
      learning_calls: z
        .int()
        .min(1)
        .max(100_000)
        .default(50)
        .describe('calls of a tool before a new argument counts'),
      learning_sessions: learningSessions,
      size_ratio: z
        .number()
        .min(1)
        .max(1000)
        .default(8)
        .describe("times the 99th percentile of the argument's own sizes"),
      size_min_bytes: z
        .int()
        .min(0)
        .default(2 * KiB),
      random_min_chars: z
        .int()
        .min(16)
        .max(1_000_000)
        .default(256)
        .describe(
          'characters that look encoded or random, in an argument that hardly ever has a quarter of that',
        ),
    })
    .prefault({}),
  tool_change: z
    .strictObject({
      enabled,
      pins_max: z.int().min(16).max(100_000).default(1024).describe('tool definitions held per tenant'),
      flip_within_ms: z
        .int()
        .min(60_000)
        .max(365 * 24 * 3_600_000)
        .default(30 * 24 * 3_600_000)
        .describe('a definition that comes back within this time is a flip-flop'),
    })
    .prefault({}),
  tool_shadowing: z
    .strictObject({
      enabled,
      established_ms: z
        .int()
        .min(0)
        .max(365 * 24 * 3_600_000)
        .default(24 * 3_600_000)
        .describe('a name this old belongs to who offered it first'),
      look_alike_min_chars: z.int().min(3).max(64).default(6).describe('shorter names are alike by chance'),
    })
    .prefault({}),
  zone_crossing: z
    .strictObject({
      enabled,
      learning_sessions: learningSessions,
      usual_sessions: z
        .int()
        .min(1)
        .max(1000)
        .default(3)
        .describe('benign sessions that make a way of data a usual one'),
      public_classes: z
        .array(z.string().max(256))
        .max(64)
        .default(['public'])
        .describe('data classes of the registry that may go anywhere'),
    })
    .prefault({}),
  ssrf: z
    .strictObject({
      enabled,
      learning_sessions: learningSessions,
      allow: z
        .array(z.string().min(1).max(256))
        .max(1000)
        .default([])
        .describe('hosts (with everything below them), addresses and CIDR blocks that agents may reach'),
    })
    .prefault({}),
  injection_shape: z
    .strictObject({
      enabled,
      learning_sessions: learningSessions,
      usual_percent: usualPercent(
        'share of calls with the form from which it is the normal business of a tool',
      ),
    })
    .prefault({}),
  secret_leak: z
    .strictObject({
      enabled,
      learning_sessions: learningSessions,
      usual_percent: usualPercent(
        'share of calls with secrets from which they are the normal business of a tool',
      ),
      personal_ratio: z
        .number()
        .min(1)
        .max(1000)
        .default(4)
        .describe("times the 99th percentile of the tool's own counts"),
      personal_min: z.int().min(1).default(50).describe('pieces of personal data in one call'),
    })
    .prefault({}),
  toxic_flow: z.strictObject({ enabled, learning_sessions: learningSessions }).prefault({}),
  leaky_error: z
    .strictObject({
      enabled,
      again_ms: z
        .int()
        .min(0)
        .max(31 * 24 * 3_600_000)
        .default(24 * 3_600_000)
        .describe('the same leak of the same tool is silent for this long'),
    })
    .prefault({}),
};
