/**
 * Keeps at most `max` of a stream of any length, evenly: every one at first, then every second, every fourth and so on.
 * The same stream keeps the same; the first one is always kept.
 */
export interface Thinning<Item> {
  push(item: Item): void;
  readonly kept: readonly Item[];
  /** Every so many are kept. */
  readonly stride: number;
  /** Number pushed. */
  readonly seen: number;
}

export function createThinning<Item>(max: number): Thinning<Item> {
  let kept: Item[] = [];
  let stride = 1;
  let seen = 0;
  return {
    push(item) {
      if (seen % stride === 0) {
        if (kept.length >= max) {
          kept = kept.filter((_, index) => index % 2 === 0);
          stride *= 2;
        }
        if (seen % stride === 0) kept.push(item);
      }
      seen += 1;
    },
    get kept() {
      return kept;
    },
    get stride() {
      return stride;
    },
    get seen() {
      return seen;
    },
  };
}
