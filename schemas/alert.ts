import { z } from 'zod';

/** An alert, version 1: the body of a record on `custody.alerts` and of its ledger entry. */
export const ALERT_SCHEMA = 'custody.alert/v1';

export const severity = z.enum(['info', 'low', 'medium', 'high', 'critical']);

const text = z.string().min(1).max(2048);

export const alertSchema = z.strictObject({
  schema: z.literal(ALERT_SCHEMA),
  /** UUID derived from detector id and version, tenant, dedup key and triggering event: stable over replays. */
  alert_id: z.uuid(),
  detector: z.strictObject({ id: z.string(), version: z.int().positive() }),
  /** Event time of the triggering event, after the engine's clamp to the log's append time. */
  time_unix_nano: z.string().regex(/^\d{1,20}$/),
  tenant: z.string(),
  title: text,
  severity,
  /** In [0, 1]; what it measures is the detector's (docs/detectors). */
  score: z.number().min(0).max(1),
  /** One or two sentences for a human. Holds names from events: hostile text, escape wherever it is shown. */
  reason: text,
  /** What was seen, what is normal here, and how far apart, each in words with units. */
  observed: text,
  normal: text,
  distance: text,
  /** Alerts with one key are about one matter; sinks may group by it. */
  dedup_key: z.string().min(1).max(512),
  /** Events that prove it, oldest first, the triggering event last; never empty. */
  evidence: z.array(z.uuid()).min(1).max(32),
  session_key: z.string().optional(),
  trace_id: z.string().optional(),
  actor_id: z.string().optional(),
  user_id: z.string().optional(),
  server_name: z.string().optional(),
  tool_name: z.string().optional(),
  policy_decision: z.string().optional(),
  destinations: z.array(z.string()).max(32).optional(),
  references: z.strictObject({
    owasp: z.array(z.string()),
    atlas: z.array(z.string()),
    attack: z.array(z.string()),
    /** SAF-MCP technique ids. */
    saf: z.array(z.string()).optional(),
  }),
  /** Alerts of one incident are worked on together; grouped by session, else by matter, else by actor. Absent with `mode`. */
  incident_id: z.uuid().optional(),
  /** Other incidents about the same session, matter or actor: resolved before, or worked on apart. */
  related_incidents: z.array(z.uuid()).max(4).optional(),
  /** Of the incident so far, in [0, 100]. */
  risk_score: z.number().min(0).max(100).optional(),
  /** `shadow`: the rule is on trial; recorded, not sent to sinks. `suppressed`: somebody silenced it, with a reason and an end. */
  mode: z.enum(['shadow', 'suppressed']).optional(),
  /** Why it is suppressed. */
  suppressed_by: z.string().max(256).optional(),
  /** Of the policy documents it was judged by: `registry`, `rules`. */
  policy_digests: z.record(z.string().max(32), z.string().max(64)).optional(),
  /** Where to read what to do. */
  runbook: z.string().max(512).optional(),
});

export type Alert = z.infer<typeof alertSchema>;
export type Severity = z.infer<typeof severity>;
