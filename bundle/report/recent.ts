/** The latest of a stream of any length by their ids: at least `count` of them, at most twice as many. */
export interface Recent<Item> {
  set(id: string, item: Item): void;
  get(id: string): Item | undefined;
}

/** Two generations; the older one goes as a whole, which costs nothing per item. */
export function createRecent<Item>(count: number): Recent<Item> {
  let newer = new Map<string, Item>();
  let older = new Map<string, Item>();
  return {
    set(id, item) {
      if (newer.size >= count) {
        older = newer;
        newer = new Map();
      }
      newer.set(id, item);
    },
    get: (id) => newer.get(id) ?? older.get(id),
  };
}
