/**
 * Field readers for OTLP JSON (proto3 JSON with the changes of the OTLP specification: ids in hex, enums as numbers).
 * `null` and absent are the field's default; a value of another type is an InputError with the field's path. 64-bit
 * numbers come as strings or numbers; a JSON number beyond 2^53 has lost its exact value in the JSON parser already.
 */
import { InputError } from '../../runtime/errors.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';

const UINT64_MAX = 18_446_744_073_709_551_615n;
const INT64_MAX = 9_223_372_036_854_775_807n;
const DIGITS = /^-?\d{1,20}$/;

/** An error about one field; the reason names types, never the value. */
export function fieldError(path: string, reason: string): InputError {
  return new InputError('input_invalid', `cannot read ${path}: ${reason}`, { path });
}

/** Own property only: a key such as `constructor` must not reach the prototype. */
export function field(object: JsonObject, name: string): unknown {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return value === null ? undefined : value;
}

export function objectAt(value: unknown, path: string): JsonObject {
  if (value === undefined) return {};
  if (!isObject(value)) throw fieldError(path, 'must be an object');
  return value;
}

export function listAt(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw fieldError(path, 'must be an array');
  return value;
}

export function textAt(value: unknown, path: string, maxBytes: number): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') throw fieldError(path, 'must be a string');
  return cutText(value, maxBytes);
}

/** Cuts a long text between characters. */
function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(0, maxBytes), 'utf8');
  if (bytes.length <= maxBytes && text.length <= maxBytes) return text;
  let cut = Math.min(maxBytes, bytes.length);
  while (cut > 0 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut--;
  return bytes.toString('utf8', 0, cut);
}

/** A uint64 as a decimal string without leading zeros. */
export function uint64At(value: unknown, path: string): string {
  const number = value === undefined ? 0n : integer(value);
  if (number === undefined || number < 0n || number > UINT64_MAX) {
    throw fieldError(path, 'must be an unsigned 64-bit integer');
  }
  return String(number);
}

export function int64At(value: unknown, path: string): number | bigint {
  const number = integer(value);
  if (number === undefined || number > INT64_MAX || number < -INT64_MAX - 1n) {
    throw fieldError(path, 'must be a 64-bit integer');
  }
  return Number.isSafeInteger(Number(number)) ? Number(number) : number;
}

function integer(value: unknown): bigint | undefined {
  if (typeof value === 'string' && DIGITS.test(value)) return BigInt(value);
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  return undefined;
}

export function uint32At(value: unknown, path: string): number {
  const number = value === undefined ? 0n : integer(value);
  if (number === undefined || number < 0n || number > 0xffffffffn) {
    throw fieldError(path, 'must be an unsigned 32-bit integer');
  }
  return Number(number);
}

/** `"NaN"`, `"Infinity"` and `"-Infinity"` are strings in proto3 JSON, and any number may be one. */
export function doubleAt(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  const isText = typeof value === 'string' && value.trim() !== '';
  const number = isText ? Number(value) : Number.NaN;
  if (Number.isNaN(number) && value !== 'NaN') throw fieldError(path, 'must be a number');
  return number;
}

/** An enum as a number or a name with the prefix; undefined ones read as 0, "unspecified". */
export function enumAt(value: unknown, path: string, names: readonly string[]): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isInteger(value))
    return value > 0 && value < names.length ? value : 0;
  if (typeof value === 'string') return Math.max(0, names.indexOf(value));
  throw fieldError(path, 'must be an enum number or name');
}

/** An id as lower-case hex; anything that is not hex gives a text of a length no id has. */
export function hexAt(value: unknown, path: string): string {
  const text = textAt(value, path, 1024);
  return /^[0-9a-fA-F]*$/.test(text) ? text.toLowerCase() : '?';
}
