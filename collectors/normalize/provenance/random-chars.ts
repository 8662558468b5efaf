const RUN_MIN = 16;
/** Of a run's characters: words hardly ever change between letters and digits, and encoded bytes at every second one. */
const CHANGES_MIN = 0.2;
const DIGITS_MIN = 0.05;

const outside = 0;
const mark = 1;
const digit = 2;
const upper = 3;
const lower = 4;

/** Kinds of characters in the alphabets of base64, base64url, base32 and hex. */
const KINDS = new Uint8Array(128);
for (const char of '+/_=-') KINDS[char.charCodeAt(0)] = mark;
for (const char of '0123456789') KINDS[char.charCodeAt(0)] = digit;
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') {
  KINDS[char.charCodeAt(0)] = upper;
  KINDS[char.toLowerCase().charCodeAt(0)] = lower;
}

/**
 * How many characters of the text (attacker-controlled) stand in runs that look like encoded, encrypted or random bytes. Not found: alphabets
 * of letters alone, those with more punctuation (base85), and what is cut into pieces shorter than 16.
 */
export function randomChars(text: string): number {
  let chars = 0;
  let length = 0;
  let digits = 0;
  let changes = 0;
  let before = outside;
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 0;
    const kind = code < 128 ? (KINDS[code] ?? outside) : outside;
    if (kind === outside) {
      if (length >= RUN_MIN && digits >= DIGITS_MIN * length && changes >= CHANGES_MIN * length)
        chars += length;
      length = digits = changes = 0;
    } else {
      length += 1;
      if (kind === digit) digits += 1;
      // Punctuation ends a word, and a capital begins one.
      if (kind !== before && kind > mark && before > mark && (before !== upper || kind !== lower))
        changes += 1;
    }
    before = kind;
  }
  return chars;
}
