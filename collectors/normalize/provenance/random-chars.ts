/** Alphabets of base64, base64url, base32, hex and percent-encoding; words and paths in between are told by what follows. */
const RUN = /[A-Za-z0-9+/_=%-]{16,}/g;
/** Of a run's characters: words hardly ever change between letters and digits, and encoded bytes at every second one. */
const CHANGES_MIN = 0.2;
const DIGITS_MIN = 0.05;

/**
 * How many characters of the text (attacker-controlled) stand in runs that look like encoded, encrypted or random bytes. Not found: alphabets
 * of letters alone, those with more punctuation (base85), and what is cut into pieces shorter than 16.
 */
export function randomChars(text: string): number {
  let chars = 0;
  for (const [run] of text.matchAll(RUN)) if (looksRandom(run)) chars += run.length;
  return chars;
}

const other = 0;
const lower = 1;
const upper = 2;
const digit = 3;

function looksRandom(run: string): boolean {
  let digits = 0;
  let changes = 0;
  let before = other;
  for (let at = 0; at < run.length; at += 1) {
    const kind = kindOf(run.charCodeAt(at));
    if (kind === digit) digits += 1;
    // A capital begins a word, and punctuation ends one.
    const isWordStart = before === upper && kind === lower;
    if (kind !== before && before !== other && kind !== other && !isWordStart) changes += 1;
    before = kind;
  }
  return digits >= DIGITS_MIN * run.length && changes >= CHANGES_MIN * run.length;
}

function kindOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return digit;
  if (code >= 0x61) return lower;
  return code >= 0x41 && code <= 0x5a ? upper : other;
}
