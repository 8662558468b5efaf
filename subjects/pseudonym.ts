import { createHmac } from 'node:crypto';
import { SUBJECT_PATTERN } from '../schemas/sealed-field.ts';

/** Of events that name nobody: what they tell is still somebody's, and can be erased as a whole. */
export const NOBODY = '';

/**
 * The stable name of a subject: 128 bits of HMAC-SHA256 under the deployment's digest key. Tenants have different names for
 * one identity. Spelling counts: `Ann@example.com` is not `ann@example.com`.
 */
export function pseudonymOf(digestKey: Uint8Array, tenant: string, identity: string): string {
  const digest = createHmac('sha256', digestKey)
    .update(`custody/subject/v1\n${tenant}\n${identity}`, 'utf8')
    .digest('hex');
  return `subj-${digest.slice(0, 32)}`;
}

/** Whether somebody gave the pseudonym and not the identity. */
export const isPseudonym = (text: string): boolean => SUBJECT_PATTERN.test(text);
