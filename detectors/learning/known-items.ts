/** How many sessions of a tenant have had an item, by item hash; bounded. Insertion order is eviction order. */
export type KnownItems = Map<number, number>;

const secondChances = 8;

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
  const evicted = items.size >= cap ? evictItem(items) : undefined;
  items.set(item, 1);
  return evicted;
}

function evictItem(items: KnownItems): number | undefined {
  let victim: number | undefined;
  let victimCount = Infinity;
  const seen: [number, number][] = [];
  for (const entry of items) {
    seen.push(entry);
    if (entry[1] < victimCount) [victim, victimCount] = entry;
    if (victimCount === 1 || seen.length === secondChances) break;
  }
  if (victim === undefined) return undefined;
  for (const [item, count] of seen) {
    items.delete(item);
    if (item !== victim) items.set(item, count);
  }
  return victim;
}
