import { canonicalJson } from '../../evidence/canonical-json.ts';
import type { Attributes, AttributeValue } from '../otlp/model.ts';
import { eventId } from './event-id.ts';
import { keyedDigest } from './keyed-digest.ts';
import { plainValue } from './plain-value.ts';

const secretOf = new WeakMap<Uint8Array, string>();

/**
 * Id of a record from everything it says, keyed: the same record sent again gets the same id, two records that differ
 * anywhere get two, and nobody without the key can guess a redacted value by trying ids.
 */
export function recordId(parts: readonly string[], attributes: Attributes, digestKey: Uint8Array): string {
  let secret = secretOf.get(digestKey);
  if (secret === undefined) {
    secret = keyedDigest(digestKey, 'custody record id');
    secretOf.set(digestKey, secret);
  }
  const all = [secret, ...parts];
  for (const [key, value] of attributes) all.push(key, serialised(value));
  return eventId(all);
}

/** Text with a mark of its type, so that `1` and `"1"` differ. */
function serialised(value: AttributeValue): string {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'object') return `j${canonicalJson(plainValue(value))}`;
  // The same integer may arrive as a number or as a bigint.
  return typeof value === 'boolean' ? `b${value}` : `n${value}`;
}
