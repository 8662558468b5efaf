/** Whether text matches a pattern in which `*` stands for any characters and `?` for one. Linear but for hostile patterns, quadratic then. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const wanted = pattern.charCodeAt(p);
    if (p < pattern.length && wanted === STAR) {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (wanted === QUESTION || wanted === text.charCodeAt(t))) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern.charCodeAt(p) === STAR) p += 1;
  return p === pattern.length;
}

const STAR = 0x2a;
const QUESTION = 0x3f;

export const isGlob = (pattern: string): boolean => /[*?]/.test(pattern);

/** Patterns ready for many lookups: exact ones in a set, the others one by one. */
export function matcherOf(patterns: readonly string[]): (text: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !isGlob(pattern)));
  const globs = patterns.filter(isGlob);
  return (text) => exact.has(text) || globs.some((glob) => matchesGlob(glob, text));
}
