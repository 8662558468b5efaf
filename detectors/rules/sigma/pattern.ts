/** A Sigma string: literal characters and wildcards. `\*`, `\?` and `\\` are literal; another backslash is itself. */
export type PatternPart = { readonly literal: string } | { readonly wildcard: '*' | '?' };

export function parsePattern(text: string): PatternPart[] {
  const parts: PatternPart[] = [];
  let literal = '';
  const flush = () => {
    if (literal !== '') parts.push({ literal });
    literal = '';
  };
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charAt(index);
    const next = text.charAt(index + 1);
    if (char === '\\' && (next === '*' || next === '?' || next === '\\')) {
      literal += next;
      index += 1;
    } else if (char === '*' || char === '?') {
      flush();
      parts.push({ wildcard: char });
    } else literal += char;
  }
  flush();
  return parts;
}

/** The text, when there is no wildcard in it. */
export function literalOf(parts: readonly PatternPart[]): string | undefined {
  let text = '';
  for (const part of parts) {
    if ('wildcard' in part) return undefined;
    text += part.literal;
  }
  return text;
}

/** As `glob()` of conditions takes it. */
export function globOf(parts: readonly PatternPart[]): string {
  return parts
    .map((part) => ('wildcard' in part ? part.wildcard : part.literal.replace(/[\\*?]/g, '\\$&')))
    .join('');
}
