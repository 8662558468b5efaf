import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { fromBase64 } from '../evidence/note/base64.ts';
import { XAES_KEY_BYTES, XAES_NONCE_BYTES, xaesKey, xaesOpen, xaesSeal } from '../evidence/xaes.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { KEY_ID_PATTERN, SUBJECT_PATTERN } from '../schemas/sealed-field.ts';

/** The data key of one subject of one tenant, in the open. */
export interface SubjectKey {
  readonly tenant: string;
  readonly subject: string;
  readonly keyId: string;
  readonly key: Buffer;
}

const keyFileSchema = z.strictObject({
  schema: z.literal('custody.subject-key/v1'),
  tenant: z.string().regex(TENANT_PATTERN),
  subject: z.string().regex(SUBJECT_PATTERN),
  key_id: z.string().regex(KEY_ID_PATTERN),
  created_ms: z.int().nonnegative(),
  /** base64 of nonce, encrypted key and tag. */
  wrapped: z.string(),
});

/** What a key file says without its key-encryption key. */
export type KeyFile = z.infer<typeof keyFileSchema>;

export const newKeyId = (storeId: string): string => `${storeId}-${randomBytes(8).toString('hex')}`;

/** The store a key belongs to. */
export const storeOfKey = (keyId: string): string => keyId.slice(0, 8);

/** The bytes of a key file: the data key encrypted under the key-encryption key and bound to its subject. */
export function formatKeyFile(kek: Uint8Array, key: SubjectKey, createdMs: number): Buffer {
  const nonce = randomBytes(XAES_NONCE_BYTES);
  const wrapped = Buffer.concat([nonce, xaesSeal(xaesKey(kek), nonce, key.key, boundTo(key))]).toString(
    'base64',
  );
  const file: KeyFile = {
    schema: 'custody.subject-key/v1',
    tenant: key.tenant,
    subject: key.subject,
    key_id: key.keyId,
    created_ms: createdMs,
    wrapped,
  };
  return Buffer.from(`${JSON.stringify(file)}\n`, 'utf8');
}

/** `undefined` for anything else than a key file of this subject: damage, or a file put in another's place. */
export function parseKeyFile(text: string, tenant: string, subject: string): KeyFile | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = keyFileSchema.safeParse(json);
  if (!parsed.success || parsed.data.tenant !== tenant || parsed.data.subject !== subject) return undefined;
  return parsed.data;
}

/** The data key; `undefined` when it was changed or encrypted under another key-encryption key. */
export function unwrapKey(kek: Uint8Array, file: KeyFile): SubjectKey | undefined {
  const bytes = fromBase64(file.wrapped);
  if (bytes === undefined) return undefined;
  const bound = boundTo({ tenant: file.tenant, subject: file.subject, keyId: file.key_id });
  const key = xaesOpen(
    xaesKey(kek),
    bytes.subarray(0, XAES_NONCE_BYTES),
    bytes.subarray(XAES_NONCE_BYTES),
    bound,
  );
  if (key?.length !== XAES_KEY_BYTES) return undefined;
  return { tenant: file.tenant, subject: file.subject, keyId: file.key_id, key };
}

/** Tells one key-encryption key from another without telling anything of it. */
export const kekCheck = (kek: Uint8Array): string =>
  createHmac('sha256', kek).update('custody/key-encryption-key/v1').digest('hex').slice(0, 16);

function boundTo({ tenant, subject, keyId }: Omit<SubjectKey, 'key'>): Buffer {
  return Buffer.from(`custody/subject-key/v1\n${tenant}\n${subject}\n${keyId}\n`, 'utf8');
}
