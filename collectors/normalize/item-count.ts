import { isObject } from './mcp-meta.ts';

/** Names of numbers that say how many things a call is about. A page or an offset says where, not how many. */
const COUNT_NAMES =
  /^(?:count|limit|amount_of_\w{1,64}|num(?:ber)?_?(?:of_?\w{1,64}|results|items|rows|records)?|n|top_?k|max_?(?:results|items|rows|records|count)|page_?size|per_?page|batch_?size|quantity|qty|rows|size)$/i;
const LARGEST = 1e9;
const DEPTH_MAX = 3;

/**
 * How many things the arguments of a call (attacker-controlled) are about: the longest list in them, or the largest number that
 * goes by such a name. It is what was asked for, which may be more than there is. A single thing is not counted: nearly
 * every call has one.
 */
export function itemCountOf(plain: unknown): number | undefined {
  const count = countIn(plain, 0);
  return count > 1 ? count : undefined;
}

function countIn(value: unknown, depth: number): number {
  if (Array.isArray(value)) return value.length;
  if (!isObject(value) || depth >= DEPTH_MAX) return 0;
  let most = 0;
  for (const [key, member] of Object.entries(value)) {
    if (typeof member === 'number') {
      if (
        Number.isSafeInteger(member) &&
        member > most &&
        member <= LARGEST &&
        COUNT_NAMES.test(plainName(key))
      )
        most = member;
    } else if (typeof member === 'object') most = Math.max(most, countIn(member, depth + 1));
  }
  return most;
}

/** `maxResults` as `max_results`. */
function plainName(key: string): string {
  return key.slice(0, 128).replace(/([a-z])([A-Z])/g, '$1_$2');
}
