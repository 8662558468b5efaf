import { z } from 'zod';

/**
 * Members of an event that name somebody. A sealed one belongs to whom it names: its place takes the pseudonym, so that
 * what is counted, joined or compared by it stays as it was.
 */
export const IDENTITY_PATHS = [
  'actor.id',
  'actor.runtime_id',
  'actor.user_id',
  'client.address',
  'policy.approver',
] as const;

/** Members that tell something about the event's subject. A sealed one leaves nothing in its place. */
export const CONTENT_PATHS = ['arguments.summary', 'attributes', 'policy.reason', 'result.summary'] as const;

export const SEALABLE_PATHS = [...IDENTITY_PATHS, ...CONTENT_PATHS] as const;

export type IdentityPath = (typeof IDENTITY_PATHS)[number];
export type ContentPath = (typeof CONTENT_PATHS)[number];
export type SealablePath = (typeof SEALABLE_PATHS)[number];

/** `subj-` and 128 bits of an HMAC of tenant and identity. */
export const SUBJECT_PATTERN = /^subj-[0-9a-f]{32}$/;
/** The key store's id, and what tells its keys apart. */
export const KEY_ID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{16}$/;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A value that only the holder of its subject's key can read (docs/spec/sealed-field.md). */
export const sealedFieldSchema = z.strictObject({
  /** SHA-256 of a secret salt and the canonical JSON of the value: proves a revealed value, tells nothing before. */
  commitment: z.string().regex(/^[0-9a-f]{64}$/),
  key_id: z.string().regex(KEY_ID_PATTERN),
  /** Pseudonym of whose data it is. */
  subject: z.string().regex(SUBJECT_PATTERN),
  /** base64 of nonce, ciphertext and tag. */
  value: z.string().max(4_194_304).regex(BASE64),
});

export type SealedField = z.infer<typeof sealedFieldSchema>;

/** The sealed members of an event by their path. */
export const sealedFieldsSchema = z.partialRecord(z.enum(SEALABLE_PATHS), sealedFieldSchema);
