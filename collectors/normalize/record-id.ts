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
  let content = '';
  for (const [key, value] of attributes) {
    const text = serialised(value);
    content += `${key.length}:${key}${text.length}${typeMark(value)}${text}`;
  }
  return eventId([secret, ...parts, content]);
}

function serialised(value: AttributeValue): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? canonicalJson(plainValue(value)) : String(value);
}

/** Tells `1` from `"1"`; the same integer may arrive as a number or as a bigint. */
function typeMark(value: AttributeValue): string {
  if (typeof value === 'string') return 's';
  if (typeof value === 'object') return 'j';
  return typeof value === 'boolean' ? 'b' : 'n';
}
