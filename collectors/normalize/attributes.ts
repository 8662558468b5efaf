import { limits } from '../../schemas/event/limits.ts';
import type { AttributeValue } from '../otlp/model.ts';
import type { RedactionCounts } from './field-values.ts';
import { plainValue } from './plain-value.ts';
import { addCounts, clip, redactText, redactValue } from './redact.ts';
import { isSecretName } from './secret-names.ts';

type Scalar = string | number | boolean;

export interface KeptAttributes {
  readonly attributes: Record<string, Scalar> | undefined;
  readonly dropped: number;
}

/** What no table knows, redacted and bounded, in key order; what does not fit is counted. Keys are attacker-controlled. */
export function keepAttributes(
  unknown: readonly (readonly [string, AttributeValue])[],
  resource: readonly (readonly [string, Scalar])[],
  statusMessage: string | undefined,
  counts: RedactionCounts,
): KeptAttributes {
  const members: (readonly [string, Scalar])[] = [];
  let dropped = 0;
  if (statusMessage !== undefined) members.push(['status.message', statusMessage]);
  for (const [key, value] of unknown) {
    const kept = members.length < limits.attributeCount ? keepAttribute(key, value, counts) : undefined;
    if (kept === undefined) dropped++;
    else members.push(kept);
  }
  for (const member of resource) {
    if (members.length < limits.attributeCount) members.push(member);
    else dropped++;
  }
  if (members.length === 0) return { attributes: undefined, dropped };
  members.sort(byKey);
  const attributes: Record<string, Scalar> = {};
  for (const [key, value] of members) {
    // An assignment to `__proto__` would set the prototype and lose the value.
    if (key === '__proto__') dropped++;
    else attributes[key] = value;
  }
  return { attributes, dropped };
}

/** One attribute redacted; undefined if its key has no room. */
export function keepAttribute(
  key: string,
  value: AttributeValue,
  counts: RedactionCounts,
): readonly [string, Scalar] | undefined {
  if (key === '' || key.length > limits.attributeKeyChars) return undefined;
  const redactedKey = redactText(key);
  addCounts(counts, redactedKey.counts);
  const name = clip(redactedKey.text, limits.attributeKeyChars);
  if (isSecretName(key) && typeof value !== 'boolean') {
    counts['secret'] = (counts['secret'] ?? 0) + 1;
    return [name, '[redacted:secret]'];
  }
  return [name, scalarOf(value, counts)];
}

function scalarOf(value: AttributeValue, counts: RedactionCounts): Scalar {
  if (typeof value === 'boolean') return value;
  const number = typeof value === 'bigint' ? Number(value) : value;
  // Beyond 2^53 a number is not what was sent; a long one may be a card's.
  if (typeof number === 'number' && isShortNumber(number)) return number + 0;
  if (typeof value === 'object' && value !== null) {
    const redacted = redactValue(plainValue(value));
    addCounts(counts, redacted.counts);
    return clip(JSON.stringify(redacted.value), limits.attributeValueChars);
  }
  const text = String(value);
  const redacted = redactText(text);
  addCounts(counts, redacted.counts);
  if (typeof number === 'number' && redacted.text === text && Number.isSafeInteger(number)) return number;
  return clip(redacted.text, limits.attributeValueChars);
}

function isShortNumber(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Math.abs(value) < 1e12);
}

function byKey(a: readonly [string, Scalar], b: readonly [string, Scalar]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
