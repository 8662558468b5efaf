/**
 * Forms that attacks have, found by their look in values before redaction. Each pattern takes time linear in the text: what
 * may repeat is bounded. A shape is a hint for detectors, which see who sent it where; it is no verdict.
 */
export interface Shape {
  readonly name: string;
  /** Lower-case substrings without one of which the pattern cannot match; absent where looking for them costs as much. */
  readonly hints?: readonly string[];
  /** Global. */
  readonly pattern: RegExp;
}

export type ShapeCounts = Record<string, number>;

/** How much of a payload is looked at: the first and the last half of this. What lies between is not seen. */
export const SHAPE_SCAN_CHARS = 64 * 1024;
const COUNT_MAX = 99;

/** Adds how often each shape occurs in the text; `lower` is the same text in lower case. */
export function countShapes(shapes: readonly Shape[], text: string, lower: string, into: ShapeCounts): void {
  for (const { name, hints, pattern } of shapes) {
    if (hints !== undefined && !hints.some((hint) => lower.includes(hint))) continue;
    pattern.lastIndex = 0;
    while (pattern.exec(text) !== null) addShape(into, name);
  }
}

export function addShape(into: ShapeCounts, name: string): void {
  into[name] = Math.min((into[name] ?? 0) + 1, COUNT_MAX);
}

/** In key order; undefined if there are none. */
export function sortedCounts(counts: Readonly<Record<string, number>>): Record<string, number> | undefined {
  const names = Object.keys(counts);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.sort().map((name) => [name, counts[name] ?? 0]));
}

/** Both ends of a text that is too long to look at as a whole. */
export function ends(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const half = Math.floor(maxChars / 2);
  return `${text.slice(0, half)}\n${text.slice(-half)}`;
}
