import { toUSVString } from 'node:util';
import { InputError } from '../runtime/errors.ts';

/** Bounds on a JSON text that `JSON.parse` itself does not have. */
export interface JsonShapeLimits {
  readonly depthMax: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** A parsed object or array costs some 50 bytes of memory however short its text: allow one per 8 bytes of text. */
const TEXT_BYTES_PER_CONTAINER = 8;
const CONTAINERS_FREE = 1024;
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/**
 * Parses attacker-controlled JSON: one pass over the bytes first bounds nesting and the number of objects and arrays,
 * so that memory stays proportional to the text. Invalid UTF-8 and lone surrogates become U+FFFD. A repeated key in one object: the last
 * counts (as `JSON.parse` does), and `__proto__` is a key like any other. The error tells the position, never the text.
 */
export function parseJson(bytes: Uint8Array, limits: JsonShapeLimits): unknown {
  checkShape(bytes, limits);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value = JSON.parse(text) as unknown;
    return SURROGATE_ESCAPE.test(text) ? wellFormed(value) : value;
  } catch (cause) {
    const position = /at position (\d+)/.exec((cause as Error).message)?.[1];
    const where = position === undefined ? '' : ` at position ${position}`;
    // The parser's own message quotes the input, so it is not kept as the cause either.
    throw new InputError('input_invalid', `cannot read the JSON body: a syntax error${where}`);
  }
}

/** Depth is bounded by `checkShape`. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return toUSVString(value);
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [toUSVString(key), wellFormed(part)]));
}

function checkShape(bytes: Uint8Array, limits: JsonShapeLimits): void {
  const containersMax = CONTAINERS_FREE + bytes.length / TEXT_BYTES_PER_CONTAINER;
  let depth = 0;
  let containers = 0;
  for (let pos = 0; pos < bytes.length; pos++) {
    const byte = bytes[pos];
    if (byte === QUOTE) pos = endOfString(bytes, pos + 1);
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > limits.depthMax) {
        throw new InputError(
          'input_invalid',
          `cannot read the JSON body: it is nested deeper than ${limits.depthMax} levels`,
        );
      }
      if (++containers > containersMax) {
        throw new InputError('input_invalid', 'cannot read the JSON body: too many objects for its size');
      }
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}

function endOfString(bytes: Uint8Array, start: number): number {
  for (let pos = start; pos < bytes.length; pos++) {
    const byte = bytes[pos];
    if (byte === QUOTE) return pos;
    if (byte === BACKSLASH) pos++;
  }
  return bytes.length;
}
