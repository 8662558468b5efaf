import { z } from 'zod';
import { tokenSet, valueProvenance } from '../provenance.ts';
import { limits } from './limits.ts';
import { count, found, hex64 } from './scalars.ts';

/** What a size was taken from. */
export const sizeSource = z.enum(['payload', 'attribute', 'truncated_payload']);

/** How a call ended. */
export const resultCategory = z.enum([
  'ok',
  'error',
  'tool_error',
  'denied',
  'rate_limited',
  'timeout',
  'cancelled',
  'input_required',
  'unknown',
]);

/** Arguments or result of a call: never the value itself, but what may be kept of it. */
const payload = z.strictObject({
  /** Redacted, truncated JSON or text for a human. Hostile text: escape wherever it is shown. */
  summary: z.string().max(limits.summaryChars).optional(),
  /** HMAC-SHA256 under the deployment's digest key over the canonical JSON (RFC 8785) of the value before redaction. */
  digest: hex64.optional(),
  /** Size of the value on the wire, in bytes. */
  size_bytes: count.optional(),
  size_source: sizeSource.optional(),
  /** Secrets and personal data in the value before redaction, by type. */
  findings: found.optional(),
  /** Forms that attacks have (path traversal, a metadata address, an instruction to the model …), by name. */
  shapes: found.optional(),
});

/** What a member's value reads as: a text that spells a number, `true` or `null` counts as that. */
export const argumentType = z.enum(['text', 'number', 'boolean', 'null', 'array', 'object']);

export type ArgumentType = z.infer<typeof argumentType>;

/** What a call was given. */
export const callArguments = payload.extend({
  /** Names of the top-level members, sorted. */
  keys: z.array(z.string().max(limits.valuePathChars)).max(limits.values).optional(),
  /** One for each of `keys`. */
  types: z.array(argumentType).max(limits.values).optional(),
  /** The values in it, without the values. */
  values: z.array(valueProvenance).max(limits.values).optional(),
});

/** What came back. */
export const callResult = payload.extend({
  category: resultCategory.optional(),
  code: z.string().max(64).optional(),
  /** Fingerprints of its words: later arguments are looked up in them. */
  tokens: tokenSet.optional(),
  line_count: count.optional(),
});
