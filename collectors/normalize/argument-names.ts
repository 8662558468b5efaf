import type { z } from 'zod';
import { limits } from '../../schemas/event/limits.ts';
import type { argumentType } from '../../schemas/event/payload.ts';
import { isObject } from '../../schemas/json-object.ts';
import { pathName } from './provenance/describe-values.ts';

export type ArgumentType = z.infer<typeof argumentType>;

export interface ArgumentNames {
  /** Sorted; absent where there are none. */
  readonly keys?: string[];
  /** One for each of `keys`. */
  readonly types?: ArgumentType[];
}

/** Names of the top-level members (attacker-controlled), and what their values read as. */
export function argumentNames(given: unknown): ArgumentNames {
  if (!isObject(given)) return {};
  const types = new Map<string, ArgumentType>();
  for (const key of Object.keys(given).sort().slice(0, limits.values))
    types.set(pathName(key), typeOf(given[key]));
  if (types.size === 0) return {};
  const sorted = [...types].sort(([a], [b]) => (a < b ? -1 : 1));
  return { keys: sorted.map(([key]) => key), types: sorted.map(([, type]) => type) };
}

const NUMBER = /^-?\d{1,20}(?:\.\d{1,20})?$/;
const BOOLEAN = /^(?:true|false)$/i;

/** Agents write `"5"` for 5 and `"true"` for true as it comes. */
function typeOf(value: unknown): ArgumentType {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'object') return 'object';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number' || typeof value === 'bigint') return 'number';
  if (typeof value !== 'string' || value.length > 42) return 'text';
  const text = value.trim();
  if (text === '') return 'null';
  if (NUMBER.test(text)) return 'number';
  return BOOLEAN.test(text) ? 'boolean' : 'text';
}
