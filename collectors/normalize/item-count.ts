import { isObject } from '../../schemas/json-object.ts';

/**
 * Names of numbers that say how many things a call is about. A page or an offset says where, not how many, and `number`
 * alone says which one.
 */
const COUNT_NAMES =
  /^(?:count|limit|amount_of_\w{1,64}|num|num(?:ber)?_?(?:of_?\w{1,64}|results|items|rows|records)|n|top_?k|max_?(?:results|items|rows|records|count)|page_?size|per_?page|batch_?size|quantity|qty|rows|size)$/i;
/** Names of bounds: whoever asks for more than there can be, such as the largest integer, asks for everything. */
const BOUND_NAMES =
  /^(?:limit|top_?k|max_?(?:results|items|rows|records|count)|page_?size|per_?page|batch_?size)$/i;
const LARGEST = 1e9;
const DEPTH_MAX = 3;
/** Items of a list that are looked into for longer lists. */
const ITEMS_MAX = 32;

/**
 * How many things the arguments of a call (attacker-controlled) are about: the longest list in them, or the largest number that
 * goes by such a name. It is what was asked for, which may be more than there is. A single thing is not counted: nearly
 * every call has one.
 */
export function itemCountOf(plain: unknown): number | undefined {
  const count = countIn(plain, 0, false);
  return count > 1 ? count : undefined;
}

/** In an item of a list only lists count: its numbers are about that item. */
function countIn(value: unknown, depth: number, isItem: boolean): number {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = depth < DEPTH_MAX ? value.slice(0, ITEMS_MAX) : [];
    return items.reduce<number>((most, item) => Math.max(most, countIn(item, depth + 1, true)), value.length);
  }
  if (!isObject(value) || depth >= DEPTH_MAX) return 0;
  let most = 0;
  for (const [key, member] of Object.entries(value)) {
    if (typeof member === 'object') most = Math.max(most, countIn(member, depth + 1, isItem));
    else if (!isItem) most = Math.max(most, statedCount(key, member));
  }
  return most;
}

/** A number, or its digits: some senders write every argument as text. */
function statedCount(key: string, member: unknown): number {
  const number = typeof member === 'string' && /^\d{1,20}$/.test(member) ? Number(member) : member;
  if (typeof number !== 'number' || !(number > 1)) return 0;
  const name = plainName(key);
  if (number > LARGEST) return BOUND_NAMES.test(name) ? LARGEST : 0;
  return Number.isInteger(number) && COUNT_NAMES.test(name) ? number : 0;
}

/** `maxResults` as `max_results`. */
function plainName(key: string): string {
  return key.slice(0, 128).replace(/([a-z])([A-Z])/g, '$1_$2');
}
