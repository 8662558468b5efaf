/** When each matter was last told, over all sessions of a tenant; bounded, the longest untold goes first. */
export type ToldLately = Map<string, number>;

const maxMatters = 512;

/** Notes the matter; false when it was told less than `againMs` before. */
export function tellOnce(told: ToldLately, matter: string, timeMs: number, againMs: number): boolean {
  const before = told.get(matter);
  if (before !== undefined && timeMs - before < againMs) return false;
  told.delete(matter);
  told.set(matter, timeMs);
  if (told.size > maxMatters) {
    const oldest = told.keys().next().value;
    if (oldest !== undefined) told.delete(oldest);
  }
  return true;
}
