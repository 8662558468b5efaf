const secondChances = 8;

/**
 * The entry of a bounded map, made when missing. When full, the least recently used goes; one that is well established is passed
 * over a few times, so that a flood of made-up names drives out itself. The order of use is kept from half full on: before
 * that nothing is driven out, and keeping it costs.
 */
export function keptEntry<Key, Entry>(
  entries: Map<Key, Entry>,
  key: Key,
  cap: number,
  make: () => Entry,
  isEstablished?: (entry: Entry) => boolean,
): Entry {
  const known = entries.get(key);
  if (known !== undefined) {
    if (entries.size * 2 > cap) {
      entries.delete(key);
      entries.set(key, known);
    }
    return known;
  }
  if (entries.size >= cap) evictOne(entries, isEstablished);
  const entry = make();
  entries.set(key, entry);
  return entry;
}

/** Drives the oldest entry out; one that is well established is passed over a few times, and is the newest then. */
export function evictOne<Key, Entry>(
  entries: Map<Key, Entry>,
  isEstablished?: (entry: Entry) => boolean,
): void {
  let tries = 0;
  for (const [key, entry] of entries) {
    entries.delete(key);
    tries += 1;
    if (tries === secondChances || isEstablished?.(entry) !== true) return;
    entries.set(key, entry);
  }
}

/** Appends to a list of bounded length; the oldest goes. */
export function pushBounded<Value>(list: Value[], value: Value, cap: number): void {
  list.push(value);
  if (list.length > cap) list.shift();
}

/** Appends what is not there yet. */
export function addDistinct<Value>(list: Value[], value: Value, cap: number): void {
  if (!list.includes(value)) pushBounded(list, value, cap);
}
