import { hash } from 'node:crypto';
import type { Alert } from '../../schemas/alert.ts';

/**
 * Names the matter an alert is about: alerts of one tenant and detector with one dedup key share it, on every
 * instance and after every replay. UUID-shaped (36 characters, version 8 of RFC 9562) to fit every SIEM's id field.
 */
export function findingUid(alert: Alert): string {
  const digest = hash('sha256', JSON.stringify([alert.tenant, alert.detector.id, alert.dedup_key]), 'hex');
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 3) | 8).toString(16);
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
