import { hash } from 'node:crypto';
import type { SealedField } from '../schemas/sealed-field.ts';
import { canonicalJson } from './canonical-json.ts';
import { fromBase64 } from './note/base64.ts';
import { XAES_NONCE_BYTES, xaesOpen, xaesSeal, type XaesKey } from './xaes.ts';

export const SALT_BYTES = 32;
/** Ciphertexts have lengths of this grain, so that they do not tell how long a name was. */
const GRAIN_BYTES = 32;
const SPACE = 0x20;

/** Where a sealed value stands: the same ciphertext anywhere else does not open. */
export interface SealedPlace {
  readonly tenant: string;
  readonly eventId: string;
  readonly path: string;
}

/** What makes one sealing unique; both must be random and never used again. */
export interface SealingRandomness {
  readonly nonce: Uint8Array;
  readonly salt: Uint8Array;
}

export interface SubjectKeyRef {
  readonly subject: string;
  readonly keyId: string;
}

/**
 * Seals a value under its subject's key (docs/spec/sealed-field.md).
 * @throws TypeError for a value that canonical JSON cannot hold.
 */
export function sealField(
  key: XaesKey,
  { subject, keyId }: SubjectKeyRef,
  place: SealedPlace,
  { nonce, salt }: SealingRandomness,
  value: unknown,
): SealedField {
  const text = Buffer.from(canonicalJson(value), 'utf8');
  const plaintext = Buffer.alloc(SALT_BYTES + Math.ceil(text.length / GRAIN_BYTES) * GRAIN_BYTES, SPACE);
  plaintext.set(salt);
  plaintext.set(text, SALT_BYTES);
  const commitment = commitmentOf(salt, text);
  const sealed = xaesSeal(key, nonce, plaintext, boundTo(place, subject, keyId, commitment));
  return {
    commitment,
    key_id: keyId,
    subject,
    value: Buffer.concat([nonce, sealed]).toString('base64'),
  };
}

/** A value with what proves it: SHA-256(salt || canonical) is the commitment that the entry's hash covers. */
export interface OpenedField {
  readonly value: unknown;
  readonly salt: Uint8Array;
  /** Canonical JSON of the value. */
  readonly canonical: string;
}

/**
 * The value of a sealed field, or why there is none: `unreadable` for another key, another place or changed bytes,
 * `unproven` when it decrypts and is not what the entry committed to. Reads attacker-controlled bytes.
 */
export function openField(
  key: XaesKey,
  field: SealedField,
  place: SealedPlace,
): OpenedField | 'unreadable' | 'unproven' {
  const bytes = fromBase64(field.value);
  if (bytes === undefined) return 'unreadable';
  const plaintext = xaesOpen(
    key,
    bytes.subarray(0, XAES_NONCE_BYTES),
    bytes.subarray(XAES_NONCE_BYTES),
    boundTo(place, field.subject, field.key_id, field.commitment),
  );
  if (plaintext === undefined) return 'unreadable';
  let end = plaintext.length;
  while (end > SALT_BYTES && plaintext[end - 1] === SPACE) end--;
  const salt = plaintext.subarray(0, SALT_BYTES);
  const text = plaintext.subarray(SALT_BYTES, end);
  if (plaintext.length < SALT_BYTES || commitmentOf(salt, text) !== field.commitment) return 'unproven';
  const canonical = text.toString('utf8');
  try {
    return { value: JSON.parse(canonical) as unknown, salt, canonical };
  } catch {
    return 'unproven';
  }
}

/** What an entry holds of a value: SHA-256 over the salt and the value's canonical JSON, in hex. */
export function commitmentOf(salt: Uint8Array, canonical: Uint8Array): string {
  return hash('sha256', Buffer.concat([salt, canonical]), 'hex');
}

/** No part can hold a line feed: all but the tenant and the path are hex, and those have a closed alphabet. */
function boundTo(place: SealedPlace, subject: string, keyId: string, commitment: string): Buffer {
  return Buffer.from(
    `custody/sealed-field/v1\n${place.tenant}\n${place.eventId}\n${place.path}\n${subject}\n${keyId}\n${commitment}\n`,
    'utf8',
  );
}
