import { evictLeast } from './evict-least.ts';

/** How many sessions of a tenant have had an item, by item hash; bounded. Insertion order is eviction order. */
export type KnownItems = Map<number, number>;

/**
 * Counts one more session for the item. When full, something seen by one session only goes first: a flood of
 * made-up items drives out itself, not what is well known. Returns the item that had to go.
 */
export function addItem(items: KnownItems, item: number, cap: number): number | undefined {
  const count = items.get(item);
  if (count !== undefined) {
    items.set(item, count + 1);
    return undefined;
  }
  const evicted = items.size >= cap ? evictLeast(items, 2) : undefined;
  items.set(item, 1);
  return evicted;
}
