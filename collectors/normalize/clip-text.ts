/** The first characters of a text, without half a surrogate pair: canonical JSON refuses one. */
export function clipText(text: string, maxChars: number): string {
  const clipped = text.length > maxChars ? text.slice(0, maxChars) : text;
  // Lone surrogates, cut or sent, become U+FFFD on the way through UTF-8.
  return /[\ud800-\udfff]/.test(clipped) ? Buffer.from(clipped, 'utf8').toString('utf8') : clipped;
}
