import { z } from 'zod';
import { TENANT_PATTERN } from './event.ts';

/**
 * What is kept of input that could not become an event: a record on `custody.deadletter`, a ledger entry of kind
 * `malformed`. The excerpt is redacted like everything else before the first durable write.
 */
export const MALFORMED_SCHEMA = 'custody.malformed/v1';

export const malformedSchema = z.strictObject({
  schema: z.literal(MALFORMED_SCHEMA),
  tenant: z.string().regex(TENANT_PATTERN),
  observed_time_unix_nano: z.string().regex(/^\d{1,20}$/),
  /** Who could not use it: a collector, or a sink for an alert it can never take. */
  stage: z.string().max(64),
  code: z.string().max(64),
  /** Where in the input, such as `resourceSpans[0].scopeSpans[2].spans[7].traceId`. */
  path: z.string().max(512).optional(),
  reason: z.string().max(1024),
  /** Redacted start of the input as text, invalid UTF-8 replaced. */
  excerpt: z.string().max(2048).optional(),
  /** HMAC-SHA256 of the whole input under the digest key. */
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  size_bytes: z.int().nonnegative().optional(),
  /** For an alert a sink refused. */
  alert_id: z.uuid().optional(),
});

export type Malformed = z.infer<typeof malformedSchema>;
