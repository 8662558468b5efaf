import { z } from 'zod';
import { severity } from './alert.ts';
import { eventKind } from './event.ts';

/**
 * A detection rule as a person writes it (docs/operations/writing-rules.md): what to match, how matches relate, what the
 * alert says, and the cases that show it works. One YAML document is one rule.
 */

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const windowMaxMs = 7 * unitMs.d;

/** `90s`, `15m`, `24h`, `7d`; read as milliseconds. */
export const duration = z
  .string()
  .regex(/^[1-9]\d{0,6}[smhd]$/, { error: 'a duration such as 90s, 15m, 24h or 7d', abort: true })
  .refine((text) => durationMs(text) <= windowMaxMs, 'at most 7d');

/** Milliseconds of a `duration`; also of `0s`. */
export function durationMs(text: string): number {
  const unit = text.at(-1) as keyof typeof unitMs;
  return Number(text.slice(0, -1)) * unitMs[unit];
}

export const ruleId = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'kebab-case');
const cel = z.string().min(1).max(4096);
const text = z.string().min(1).max(1024);
const catalogueIds = z.array(z.string().min(1).max(32)).max(16).default([]);

const match = z.strictObject({
  kinds: z.array(eventKind).min(1).default(['tool_call']),
  condition: cel,
});

const within = duration.describe('window on event time, from the first event to the last');

/** How matches relate. `none`: each is an alert of its own. */
const correlation = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('threshold'), count: z.int().min(2).max(1000), within }),
  z.strictObject({
    type: z.literal('value_count'),
    /** CEL: what is counted once however often it comes. */
    value: cel,
    count: z.int().min(2).max(1000),
    within,
  }),
  z.strictObject({
    type: z.literal('sequence'),
    /** false: the steps may come in any order. */
    ordered: z.boolean().default(true),
    within,
    steps: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(64),
          kinds: z.array(eventKind).min(1).optional(),
          condition: cel,
        }),
      )
      .min(2)
      .max(8),
  }),
  z.strictObject({ type: z.literal('absence'), within, until: match }),
]);

/** An event in short form: words of `detectors/rules/short-event.ts`, and members of the canonical event. */
const shortEvent = z.record(z.string(), z.unknown());

const testCase = z.strictObject({
  name: z.string().min(1).max(200),
  /** registry.yaml in force, as far as the case needs one. */
  registry: z.record(z.string(), z.unknown()).optional(),
  events: z.array(shortEvent).min(1).max(200),
  expect: z.enum(['alert', 'quiet']),
  /** How many alerts exactly. */
  alerts: z.int().positive().optional(),
});

export const ruleSchema = z.strictObject({
  id: ruleId,
  title: z.string().min(1).max(200),
  version: z.int().min(1).max(1_000_000),
  description: z.string().min(1).max(2048),
  severity,
  maturity: z.enum(['experimental', 'test', 'stable']),
  /** `shadow`: alerts are recorded and go to no sink. */
  mode: z.enum(['on', 'shadow']).default('on'),
  references: z
    .strictObject({
      owasp: catalogueIds,
      atlas: catalogueIds,
      attack: catalogueIds,
      saf: catalogueIds,
    })
    .prefault({}),
  runbook: z.string().min(1).max(512).optional(),
  false_positives: z.array(text).max(16).default([]),
  match: match.optional(),
  /** CEL; matches relate within one group. Empty: within the tenant. */
  group_by: z.array(cel).max(4).default(['session.key']),
  correlation: correlation.default({ type: 'none' }),
  /** The same matter again is silent for this long. */
  repeat_after: duration.refine((text) => durationMs(text) >= 30 * unitMs.m, 'at least 30m').default('30m'),
  alert_budget: z.strictObject({ max_per_day: z.int().min(1).max(10_000) }).prefault({ max_per_day: 50 }),
  alert: z.strictObject({
    /** Templates: `{{tool}}`, `{{count}}`, or any CEL between the braces. */
    reason: text,
    observed: text.optional(),
    normal: text.optional(),
    distance: text.optional(),
    dedup_key: z.string().min(1).max(256).optional(),
    score: z.number().min(0).max(1).optional(),
  }),
  tests: z.array(testCase).max(64).default([]),
});

export type Rule = z.infer<typeof ruleSchema>;
export type Correlation = Rule['correlation'];
export type RuleTestCase = Rule['tests'][number];

/** Silences alerts that are known and wanted, for a stated reason and a limited time. */
export const suppressionSchema = z.strictObject({
  id: ruleId,
  reason: z.string().min(1).max(256),
  /** UTC; a day without time ends when the day begins. */
  expires: z.union([z.iso.date(), z.iso.datetime()]),
  match: z
    .strictObject({
      detector: z.string().min(1).max(128).optional(),
      tenant: z.string().min(1).max(256).optional(),
      actor: z.string().min(1).max(256).optional(),
      tool: z.string().min(1).max(256).optional(),
      session: z.string().min(1).max(256).optional(),
      dedup_key: z.string().min(1).max(512).optional(),
      /** CEL over `alert`. */
      condition: cel.optional(),
    })
    .refine((members) => Object.keys(members).length > 0, 'at least one member: nothing silences everything'),
});

export type Suppression = z.infer<typeof suppressionSchema>;

/** What a `policy_document` event of type `rules` holds; each rule is checked on its own, with its id in the message. */
export const rulesDocumentSchema = z.strictObject({
  schema: z.literal('custody.rules/v1'),
  rules: z.array(z.unknown()).max(1000),
});

/** What a `policy_document` event of type `suppressions` holds. */
export const suppressionsDocumentSchema = z.strictObject({
  schema: z.literal('custody.suppressions/v1'),
  suppressions: z.array(z.unknown()).max(1000),
});
