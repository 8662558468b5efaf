import { z } from 'zod';

/**
 * Where a value came from, without the value. Fingerprints are keyed per tenant: they compare within a tenant, and say
 * nothing to who has no key.
 */

/** SipHash-2-4 of normalised words, 32 bits each, distinct, in order of appearance, as `token-set.ts` writes them. */
export const tokenSet = z
  .string()
  .max(8192)
  .regex(/^[A-Za-z0-9_-]*$/);

/** `prompt`: what the agent was asked. `output`: a result of an earlier call in the session. `none`: neither. */
export const valueOrigin = z.enum(['prompt', 'output', 'none']);

export const valueProvenance = z.strictObject({
  /** Member names joined with dots, `[]` for any element: `recipients[]`. */
  path: z.string().max(128),
  /** Of the whole value, normalised; 12 to 16 hex digits. */
  hash: z.string().regex(/^[0-9a-f]{12,16}$/),
  size_bytes: z.int().nonnegative(),
  /** Characters of unbroken runs that look like encoded, encrypted or random bytes; absent for none. */
  random_chars: z.int().positive().optional(),
  /** Of its words, and of what they decode to. */
  tokens: tokenSet.optional(),
  /** Stated by a collector that knows the session; otherwise the engine looks the tokens up. */
  origin: valueOrigin.optional(),
  /** Index, from 0, of the call in the session whose output it came from. */
  source_call: z.int().nonnegative().optional(),
});

/** Collectors give one for each of `event.destinations` found in arguments, with the fingerprint of its name as it stands there. */
export const destinationProvenance = z.strictObject({
  destination: z.string().min(1).max(256),
  /** Of the host or the whole address, as a word of an output would be. */
  tokens: tokenSet.optional(),
  /** Of the words its name is made of, but those that say nothing (`www`, `com`, mail providers). */
  parts: tokenSet.optional(),
  /** False where it is only mentioned in a longer text, such as the body of a mail. */
  addressed: z.boolean().optional(),
  origin: valueOrigin.optional(),
  source_call: z.int().nonnegative().optional(),
});

export type ValueProvenance = z.infer<typeof valueProvenance>;
export type ValueOrigin = z.infer<typeof valueOrigin>;
