import { limits } from '../../schemas/event/limits.ts';
import type { ArgumentType } from '../../schemas/event/payload.ts';
import { isObject } from '../../schemas/json-object.ts';
import { pathName } from './provenance/describe-values.ts';

export interface ArgumentNames {
  /** Sorted. */
  readonly keys: string[];
  /** One for each of `keys`. */
  readonly types: ArgumentType[];
}

/** Names of the top-level members (attacker-controlled), and what their values read as; `undefined` where there are none. */
export function argumentNames(given: unknown): ArgumentNames | undefined {
  if (!isObject(given)) return undefined;
  const names = Object.keys(given);
  if (names.length === 0) return undefined;
  const keys: string[] = [];
  const types: ArgumentType[] = [];
  let isSorted = true;
  for (const name of names.sort()) {
    if (keys.length >= limits.values) break;
    const key = pathName(name);
    // A redacted name may sort elsewhere, or be another's.
    if (key !== name) isSorted = false;
    keys.push(key);
    types.push(typeOf(given[name]));
  }
  return isSorted ? { keys, types } : sorted(keys, types);
}

function sorted(keys: readonly string[], types: readonly ArgumentType[]): ArgumentNames {
  const typeByKey = new Map(keys.map((key, at) => [key, types[at] ?? 'null']));
  const known = [...typeByKey].sort(([a], [b]) => (a < b ? -1 : 1));
  return { keys: known.map(([key]) => key), types: known.map(([, type]) => type) };
}

const LITERAL_CHARS = 42;
const NOTHING = /^(?:|null|none|nil|undefined|n\/a|-)$/i;
const NUMBER = /^[+-]?(?:\d{1,3}(?:,\d{3}){1,6}|\d{0,20})(?:\.\d{1,20})?(?:e[+-]?\d{1,3})?\s?%?$/i;
const BOOLEAN = /^(?:true|false|yes|no|on|off)$/i;

/** Agents write `"5"` for 5, `"true"` for true and `"null"` for nothing as it comes. */
function typeOf(value: unknown): ArgumentType {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'object') return 'object';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number' || typeof value === 'bigint') return 'number';
  if (typeof value !== 'string' || value.length > LITERAL_CHARS) return 'text';
  const text = value.trim();
  if (NOTHING.test(text)) return 'null';
  if (NUMBER.test(text) && /\d/.test(text)) return 'number';
  return BOOLEAN.test(text) ? 'boolean' : 'text';
}
