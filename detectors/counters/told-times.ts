/** When something was last told, by what it is; bounded, the oldest goes. */
export type ToldTimes<Key = string> = Map<Key, number>;

const maxTold = 64;

/** True when it was not told within that time; notes that it is told now. Holds the times of `max` things. */
export function isNews<Key>(
  told: ToldTimes<Key>,
  key: Key,
  timeMs: number,
  againMs: number,
  max = maxTold,
): boolean {
  const beforeMs = told.get(key);
  if (beforeMs !== undefined && timeMs - beforeMs < againMs) return false;
  told.delete(key);
  told.set(key, timeMs);
  if (told.size > max) {
    const oldest = told.keys().next().value;
    if (oldest !== undefined) told.delete(oldest);
  }
  return true;
}
