/** How a name resembles one that is known. */
export interface LookAlike {
  readonly known: string;
  /** `same-looking`: letters of other alphabets, case or separators only. `one-letter`: one letter more, less, other or swapped. */
  readonly kind: 'same-looking' | 'one-letter';
}

const maxChars = 64;
const minChars = 4;
const letters = 'abcdefghijklmnopqrstuvwxyz-_.';

/**
 * The known name that somebody could take this one for, `undefined` if there is none or the name itself is known. Names differing
 * in a digit are usual (`db-1`, `db-2`) and no look-alikes, but for `0` and `1` in the place of letters. Looks the variants up: what is
 * known need not be listed. Bounded by the length of the name, about 2,000 look-ups.
 */
export function lookAlikeOf(name: string, isKnown: (name: string) => boolean): LookAlike | undefined {
  if (name.length < minChars || name.length > maxChars || isKnown(name)) return undefined;
  const plain = plainLetters(name);
  for (const variant of spellings(plain))
    if (variant !== name && isKnown(variant)) return { known: variant, kind: 'same-looking' };
  for (const variant of oneLetterOff(plain))
    if (variant !== name && isKnown(variant)) return { known: variant, kind: 'one-letter' };
  return undefined;
}

/** Letters that look alike, of Cyrillic, Greek and others, as the Latin one; accents and what does not show are taken off. */
export function plainLetters(name: string): string {
  return Array.from(name.normalize('NFKD').toLowerCase(), (letter) => confusables.get(letter) ?? letter)
    .join('')
    .replace(/[\p{M}\p{Cf}\p{Cc}\s]/gu, '');
}

/** Wider than what words are folded by (collectors/normalize/provenance/fold-text.ts): a name is looked up, not fingerprinted. */
const confusables = new Map<string, string>(
  Object.entries({
    a: 'аɑα',
    b: 'ьЬв',
    c: 'сϲ',
    d: 'ԁ',
    e: 'еєҽε',
    f: 'ƒ',
    g: 'ɡց',
    h: 'һհ',
    i: 'іıιӏ',
    j: 'јϳ',
    k: 'кκ',
    l: 'ⅼǀ',
    m: 'мⅿ',
    n: 'ոп',
    o: 'оοօσ',
    p: 'рρ',
    q: 'ԛ',
    r: 'г',
    s: 'ѕ',
    t: 'тτ',
    u: 'ս',
    v: 'ѵν',
    w: 'ԝшѡ',
    x: 'хχ',
    y: 'уγүу',
    z: 'ᴢ',
    '-': '‐‑‒–—−',
    _: '＿',
    '.': '․',
  }).flatMap(([latin, others]) => Array.from(others, (other): [string, string] => [other, latin])),
);

/** The same letters with other separators, or with digits read as letters. */
function spellings(plain: string): string[] {
  const read = plain.replace(/0/g, 'o').replace(/1/g, 'l').replace(/rn/g, 'm').replace(/vv/g, 'w');
  const variants = [plain, read, plain.replace(/1/g, 'i').replace(/0/g, 'o')];
  return variants.flatMap((variant) => [
    variant,
    variant.replace(/[-_.]/g, '-'),
    variant.replace(/[-_.]/g, '_'),
    variant.replace(/[-_.]/g, '.'),
    variant.replace(/[-_.]/g, ''),
  ]);
}

function* oneLetterOff(plain: string): Generator<string> {
  for (let at = 0; at <= plain.length; at += 1) {
    const before = plain.slice(0, at);
    const own = plain.charAt(at);
    const after = plain.slice(at + 1);
    const isDigit = /\d/.test(own);
    if (own !== '' && !isDigit) yield before + after;
    if (after !== '') yield before + after.charAt(0) + own + after.slice(1);
    for (const letter of letters) {
      if (own !== '' && !isDigit) yield before + letter + after;
      yield before + letter + own + after;
    }
  }
}
