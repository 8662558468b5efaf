import { newSizeSketch, type SizeSketch } from './size-sketch.ts';

/** What is normal for one tool, or for a class of tools while one is too new. */
export interface ToolSizes {
  readonly arguments: SizeSketch;
  readonly result: SizeSketch;
  /** Calls with destinations, and those of them to a destination new to the tenant. */
  sends: number;
  firstContacts: number;
}
/** A tool with hardly any calls goes first when there are too many. */
export function sizesOf<Key>(sizes: Map<Key, ToolSizes>, key: Key, cap: number): ToolSizes {
  const known = sizes.get(key);
  if (known !== undefined) return known;
  if (sizes.size >= cap) {
    let tries = 0;
    for (const [oldest, old] of sizes) {
      sizes.delete(oldest);
      tries += 1;
      if (old.arguments.count + old.result.count < 4 || tries === 8) break;
      sizes.set(oldest, old);
    }
  }
  const fresh = { arguments: newSizeSketch(), result: newSizeSketch(), sends: 0, firstContacts: 0 };
  sizes.set(key, fresh);
  return fresh;
}
