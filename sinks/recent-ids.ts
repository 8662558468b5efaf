/** Remembers the last ids, up to a fixed number; the oldest are forgotten first. */
export interface RecentIds {
  has(id: string): boolean;
  add(id: string): void;
}

export function createRecentIds(maxCount: number): RecentIds {
  const ids = new Set<string>();
  return {
    has: (id) => ids.has(id),
    add(id) {
      ids.delete(id);
      ids.add(id);
      if (ids.size <= maxCount) return;
      for (const oldest of ids) {
        ids.delete(oldest);
        return;
      }
    },
  };
}
