/** When something was last told, by what it is; bounded, the oldest goes. */
export type ToldTimes = Map<string, number>;

const maxTold = 64;

/** True when it was not told within that time; notes that it is told now. */
export function isNews(told: ToldTimes, key: string, timeMs: number, againMs: number): boolean {
  const beforeMs = told.get(key);
  if (beforeMs !== undefined && timeMs - beforeMs < againMs) return false;
  told.delete(key);
  told.set(key, timeMs);
  if (told.size > maxTold) {
    const oldest = told.keys().next().value;
    if (oldest !== undefined) told.delete(oldest);
  }
  return true;
}
