import { createHmac } from 'node:crypto';
import { ConfigError } from '../../../runtime/errors.ts';

/** Standard Webhooks: HMAC secrets have 24 to 64 bytes. */
const secretBytes = { min: 24, max: 64 };

/**
 * The keys in a secret value: one or more `whsec_` + base64 separated by spaces. Several sign every message, so that
 * a receiver can change from one to the next at its own time.
 * @throws ConfigError that does not quote the secret.
 */
export function parseSecrets(value: string, path: string): readonly Buffer[] {
  const words = value.split(/\s+/).filter((word) => word !== '');
  const keys = words.map((word, index) => {
    const key = Buffer.from(word.replace(/^whsec_/, ''), 'base64');
    const canonical = `whsec_${key.toString('base64').replace(/=+$/, '')}` === word.replace(/=+$/, '');
    if (!canonical || key.length < secretBytes.min || key.length > secretBytes.max)
      throw new ConfigError(
        `cannot use webhook secret ${index + 1} of ${words.length}: want whsec_ and base64 of ${secretBytes.min} to ${secretBytes.max} bytes`,
        { path },
      );
    return key;
  });
  if (keys.length === 0) throw new ConfigError('cannot use webhook secret: it is empty', { path });
  return keys;
}

/**
 * The headers of one attempt (Standard Webhooks): the id is the same on every attempt, the timestamp (seconds) is this
 * attempt's, the signature covers `id.timestamp.body` once per key.
 */
export function signedHeaders(id: string, timestampSec: number, body: string, keys: readonly Buffer[]) {
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestampSec}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSec),
    'webhook-signature': signatures.join(' '),
  };
}
