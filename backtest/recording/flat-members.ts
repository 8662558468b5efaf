import { isObject, type JsonObject } from '../../schemas/json-object.ts';

/** Members by dotted path in one spelling: lower case, words joined with `_`. Arrays stay whole. */
export type FlatMembers = ReadonlyMap<string, FlatMember>;

export interface FlatMember {
  /** As the record spells it, from the top. */
  readonly path: readonly string[];
  readonly value: unknown;
}

const DEPTH_MAX = 4;
const MEMBERS_MAX = 1024;

export function flatMembers(record: JsonObject): FlatMembers {
  const members = new Map<string, FlatMember>();
  add(record, [], members);
  return members;
}

function add(object: JsonObject, above: readonly string[], into: Map<string, FlatMember>): void {
  for (const [key, value] of Object.entries(object)) {
    if (into.size >= MEMBERS_MAX) return;
    if (value === null || value === undefined || value === '') continue;
    const path = [...above, key];
    if (isObject(value) && path.length < DEPTH_MAX) add(value, path, into);
    else if (!into.has(spellingOf(path))) into.set(spellingOf(path), { path, value });
  }
}

/** `scopeTTL`, `scope-ttl` and `Scope_TTL` are one. */
export function spellingOf(path: readonly string[]): string {
  return path
    .join('.')
    .slice(0, 256)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[\s/-]+/g, '_');
}
