import type { AttributeValue } from '../otlp/model.ts';

const DEPTH_MAX = 60;

/**
 * An attribute value as plain JSON: maps become objects, bytes base64, integers beyond 2^53 decimal strings, NaN and the
 * infinities their names; what lies deeper than 60 levels becomes a marker.
 */
export function plainValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : value.toWellFormed();
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return plainBigint(value);
    case 'object':
      return value === null ? null : plainObject(value, depth);
    default:
      return null;
  }
}

function plainBigint(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function plainObject(value: object, depth: number): unknown {
  if (depth >= DEPTH_MAX) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => plainValue(item, depth + 1));
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  const members =
    value instanceof Map ? (value as ReadonlyMap<string, AttributeValue>) : Object.entries(value);
  const out: Record<string, unknown> = {};
  for (const [key, item] of members) {
    const name = key.isWellFormed() ? key : key.toWellFormed();
    const plain = plainValue(item, depth + 1);
    if (name === '__proto__') Object.defineProperty(out, name, { value: plain, enumerable: true });
    else out[name] = plain;
  }
  return out;
}
