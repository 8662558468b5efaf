/** A name from outside for a sentence: no control or direction-changing characters, bounded. */
export function shown(name: string, maxChars = 80): string {
  const clean = name.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
  return cutText(clean, maxChars);
}

/** At most `maxChars` UTF-16 units, with an ellipsis when cut, never ending in half a character. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${text.slice(0, maxChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** 512 B, 3.4 KiB, 12 MiB. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** 45 s, 12 min, 5 h. */
export function spanText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** With a capital at the beginning, as sentences have. */
export function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
