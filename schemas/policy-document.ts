import { z } from 'zod';

/**
 * What detectors go by and people decide: it comes into force by a record in the log, so that a replay judges every event
 * by what was in force at its place. The document is the parsed file as JSON text.
 */
export const policyDocument = z.strictObject({
  type: z.enum(['registry', 'rules', 'suppressions']),
  /** SHA-256 over the canonical JSON of the document. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Canonical JSON (RFC 8785). */
  document: z.string().max(768 * 1024),
});

export type PolicyDocument = z.infer<typeof policyDocument>;
