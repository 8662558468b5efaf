const secondChances = 8;

/**
 * Drives out of the oldest few the first that is below `weak`, else the one with the least: a flood of made-up items drives
 * out itself, not what is well known. Those passed over are the newest then. Returns the item that had to go.
 */
export function evictLeast(items: Map<number, number>, weak: number): number | undefined {
  let victim: number | undefined;
  let least = Infinity;
  const seen: [number, number][] = [];
  for (const entry of items) {
    seen.push(entry);
    if (entry[1] < least) [victim, least] = entry;
    if (least < weak || seen.length === secondChances) break;
  }
  if (victim === undefined) return undefined;
  for (const [item, value] of seen) {
    items.delete(item);
    if (item !== victim) items.set(item, value);
  }
  return victim;
}
