import { evictLeast } from './evict-least.ts';

/**
 * How many sessions of a tenant have had an item, by item hash, and when one last had it; bounded, and fading: counts are
 * halved every 30 days of stream time, and what nobody had for 90 days is forgotten. Insertion order is eviction order.
 */
export interface ItemMemory {
  /** Item hash to sessions and last day: `sessions * 65536 + day`. */
  readonly items: Map<number, number>;
  /** How often something of a class is new, by class key. */
  readonly rates: Map<number, NoveltyRate>;
  sweptDay: number;
}

/** Items of one class: how often sessions had one, and how many of the items only one session has had. */
export interface NoveltyRate {
  occurrences: number;
  singles: number;
}

const dayRange = 65_536;
const maxSessions = 65_535;
const maxRates = 4096;
const sweepDays = 30;
const forgottenDays = 90;

export const newItemMemory = (): ItemMemory => ({ items: new Map(), rates: new Map(), sweptDay: 0 });

/** Sessions that have had the item. */
export function sessionsWith({ items }: ItemMemory, item: number): number {
  return Math.floor((items.get(item) ?? 0) / dayRange);
}

/** Day the item was last seen; undefined when it never was. */
export function lastDay({ items }: ItemMemory, item: number): number | undefined {
  const entry = items.get(item);
  return entry === undefined ? undefined : entry % dayRange;
}

/**
 * One more session has had the item, of the class whose novelty is counted under `rateKey`. Returns the item that had to
 * go where there is no room: something that one session only has had goes first, so a flood of made-up items drives out
 * itself, not what is well known.
 */
export function addSession(
  memory: ItemMemory,
  item: number,
  rateKey: number,
  day: number,
  cap: number,
): number | undefined {
  const before = sessionsWith(memory, item);
  const rate = rateOf(memory.rates, rateKey);
  rate.occurrences += 1;
  if (before < 2) rate.singles += before === 0 ? 1 : -1;
  const evicted =
    before === 0 && memory.items.size >= cap ? evictLeast(memory.items, 2 * dayRange) : undefined;
  memory.items.set(item, Math.min(maxSessions, before + 1) * dayRange + day);
  return evicted;
}

/**
 * Good-Turing estimate of the chance that the next item of the class is a new one: the share of items seen once. It forgets
 * the first sessions, for which everything was new, as soon as others repeat them. Never 0 or 1.
 */
export function noveltyShare({ rates }: ItemMemory, rateKey: number): number {
  const rate = rates.get(rateKey);
  return rate === undefined ? 0.5 : (Math.max(0, rate.singles) + 1) / (rate.occurrences + 2);
}

/** Halves and forgets when a month has gone by. Returns what was forgotten. */
export function fade(memory: ItemMemory, day: number): number[] {
  if (memory.sweptDay === 0) memory.sweptDay = day;
  if (day - memory.sweptDay < sweepDays) return [];
  memory.sweptDay = day;
  const forgotten: number[] = [];
  for (const [item, entry] of memory.items) {
    const seenDay = entry % dayRange;
    if (day - seenDay > forgottenDays) {
      memory.items.delete(item);
      forgotten.push(item);
    } else memory.items.set(item, Math.max(1, Math.floor(entry / dayRange) >> 1) * dayRange + seenDay);
  }
  for (const rate of memory.rates.values()) {
    rate.occurrences >>= 1;
    rate.singles >>= 1;
  }
  return forgotten;
}

function rateOf(rates: Map<number, NoveltyRate>, key: number): NoveltyRate {
  const known = rates.get(key);
  if (known !== undefined) return known;
  if (rates.size >= maxRates) {
    const oldest = rates.keys().next().value;
    if (oldest !== undefined) rates.delete(oldest);
  }
  const rate = { occurrences: 0, singles: 0 };
  rates.set(key, rate);
  return rate;
}
