import { z } from 'zod';

const dayMs = 24 * 3_600_000;
const enabled = z.boolean().default(true);
const sessions = (value: number) => z.int().min(1).max(100_000).default(value);

/** Sections of `detect` for who may do what, and who is who. */
export const detectAccess = {
  auth_burst: z
    .strictObject({
      enabled,
      failures: z.int().min(2).max(1000).default(5).describe('refused logins, fading with the half-life'),
      half_life_ms: z.int().min(1000).max(3_600_000).default(60_000),
      repeat_after_ms: z
        .int()
        .min(1000)
        .max(dayMs)
        .default(5 * 60_000)
        .describe('the same principal or source again'),
    })
    .prefault({}),
  denial_probing: z
    .strictObject({
      enabled,
      window_ms: z
        .int()
        .min(1000)
        .max(dayMs)
        .default(10 * 60_000),
      tools: z.int().min(2).max(12).default(4).describe('different tools refused to one actor in the window'),
      attempts: z
        .int()
        .min(2)
        .max(24)
        .default(8)
        .describe('different arguments of one tool refused to one actor in the window'),
    })
    .prefault({}),
  first_seen: z
    .strictObject({
      enabled,
      learning_sessions: sessions(20).describe('of an actor, a tool or a tenant, before a first use counts'),
      quiet_sessions: sessions(20).describe('without a first use, before one is of severity medium'),
      alerts_per_hour: z.int().min(1).max(10_000).default(60),
    })
    .prefault({}),
  unusual_hours: z
    .strictObject({
      enabled,
      learning_calls: z.int().min(50).max(100_000).default(200).describe('of an agent, else of its tenant'),
      learning_days: z.int().min(2).max(365).default(5).describe('different days among them'),
      share_max: z
        .number()
        .min(0)
        .max(0.1)
        .default(0.002)
        .describe('of all calls, in the hour and those next to it, below which it is unusual'),
      quiet_sessions: sessions(20).describe('at usual hours, before an unusual one is told'),
      frequency_ratio: z
        .number()
        .min(1)
        .max(1000)
        .default(4)
        .describe('times the 99th percentile of sessions that an agent begins in an hour'),
    })
    .prefault({}),
  unregistered: z
    .strictObject({
      enabled,
      within_ms: z
        .int()
        .min(1000)
        .max(dayMs)
        .default(5 * 60_000)
        .describe('stream time in which the gateway must tell of a call to a server behind it'),
      learning_calls: z
        .int()
        .min(1)
        .max(100_000)
        .default(20)
        .describe('calls of a server told by both, before one without the gateway counts'),
      alerts_per_hour: z.int().min(1).max(10_000).default(60),
    })
    .prefault({}),
  allowed_set: z
    .strictObject({ enabled, alerts_per_hour: z.int().min(1).max(10_000).default(120) })
    .prefault({}),
  unapproved_privilege: z
    .strictObject({
      enabled,
      answer_within_ms: z
        .int()
        .min(1000)
        .max(dayMs)
        .default(60_000)
        .describe('a request nobody has answered by then is taken as carried out'),
    })
    .prefault({}),
  token_misuse: z
    .strictObject({
      enabled,
      ttl_max_sec: z.int().min(1).default(600),
      age_max_sec: z
        .int()
        .min(1)
        .default(90 * 86_400),
      learning_sessions: sessions(3).describe('of a server, before a new audience of its tokens counts'),
    })
    .prefault({}),
};
