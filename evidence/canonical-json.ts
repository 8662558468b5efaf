/** Deepest nesting that `canonicalJson` serialises. */
export const CANONICAL_DEPTH_MAX = 64;

/**
 * JSON in the canonical form of RFC 8785 (JCS), under a strict guard: throws a TypeError for anything
 * JSON cannot hold without loss (undefined, a function, a symbol, BigInt, NaN, Infinity, a lone surrogate, a class
 * instance) and for nesting deeper than `CANONICAL_DEPTH_MAX`, which also ends cycles. A key whose value is undefined
 * is refused too: absent facts are absent keys. Any finite double is accepted; `-0` is written `0` (RFC 8785 §3.2.2.3).
 *
 * Objects whose keys are already in order, all the way down, are written by the engine's own JSON.stringify; build
 * them that way where it matters.
 */
export function canonicalJson(value: unknown): string {
  const text = isOrdered(value, 0) ? JSON.stringify(value) : write(value);
  // JSON.stringify writes a lone surrogate as \udXXX; the same six characters may also be escaped text.
  if (text.includes('\\ud')) refuseLoneSurrogates(value);
  return text;
}

/** Whether all keys are in UTF-16 order; throws for what must not be serialised. */
function isOrdered(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      if (!Number.isFinite(value)) throw refused('a number that is not finite');
      return true;
    case 'object':
      break;
    default:
      throw refused(`a value of type ${typeof value}`);
  }
  if (value === null) return true;
  if (depth >= CANONICAL_DEPTH_MAX) throw refused('nesting too deep or a cycle');
  let ordered = true;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      if (!isOrdered(value[index], depth + 1)) ordered = false;
    return ordered;
  }
  requirePlain(value);
  let previous: string | undefined;
  for (const key of Object.keys(value)) {
    if (previous !== undefined && key < previous) ordered = false;
    previous = key;
    if (!isOrdered((value as Record<string, unknown>)[key], depth + 1)) ordered = false;
  }
  return ordered;
}

/** Characters JSON.stringify escapes; text without them is quoted by concatenation, which is faster for short strings. */
// eslint-disable-next-line no-control-regex -- control characters are what must be escaped
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

function quote(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Sorting writer for what `isOrdered` has checked. */
function write(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let out = '';
  if (Array.isArray(value)) {
    for (const item of value) out += out === '' ? write(item) : `,${write(item)}`;
    return `[${out}]`;
  }
  const record = value as Record<string, unknown>;
  // The default sort compares UTF-16 code units, which is the order RFC 8785 §3.2.3 asks for.
  for (const key of Object.keys(record).sort())
    out += `${out === '' ? '' : ','}${quote(key)}:${write(record[key])}`;
  return `{${out}}`;
}

function requirePlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refused('an object that is not plain');
}

function refuseLoneSurrogates(value: unknown): void {
  if (typeof value === 'string') {
    // The u flag makes a surrogate pair one character, so this class matches lone halves only.
    if (/[\ud800-\udfff]/u.test(value)) throw refused('a lone surrogate');
  } else if (Array.isArray(value)) {
    for (const item of value) refuseLoneSurrogates(item);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      refuseLoneSurrogates(key);
      refuseLoneSurrogates(item);
    }
  }
}

function refused(what: string): TypeError {
  return new TypeError(`cannot write canonical JSON: ${what}`);
}
