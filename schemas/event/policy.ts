import { z } from 'zod';
import { id, name } from './scalars.ts';

/** What a policy can say of a call. */
export const policyDecision = z.enum(['allow', 'deny', 'redact', 'ask', 'warn', 'unknown']);

/** What a policy decided, and why. */
export const policy = z.strictObject({
  /** What was enforced. */
  decision: policyDecision.optional(),
  /** What the policy said, when it differs from what was enforced. */
  verdict: policyDecision.optional(),
  rule: name.optional(),
  reason: z.string().max(1024).optional(),
  version: name.optional(),
  /** Change or approval ticket. */
  ticket: name.optional(),
  approver: id.optional(),
});
