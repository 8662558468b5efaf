/**
 * One form for text that reads the same: compatibility forms (full width, ligatures, mathematical letters) and capitals are
 * folded, invisible characters go, letters of other scripts that look like ASCII become ASCII. Tag characters (U+E0020 …),
 * which hide ASCII from people and not from models, become that ASCII. Pure ASCII comes back as it is, capitals too: who
 * reads it lowers them.
 */
export function foldText(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text;
  return lowered(text).replace(LOOK_ALIKE, (letter) => ASCII_OF.get(letter) ?? letter);
}

/** Compatibility forms and capitals folded; look-alikes stay apart, for another letter is another value. */
export function lowered(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text.toLowerCase();
  return text
    .replace(TAG, (tag) => String.fromCharCode((tag.codePointAt(0) ?? 0) - TAG_BASE))
    .replace(INVISIBLE, '')
    .normalize('NFKC')
    .toLowerCase();
}

// eslint-disable-next-line no-control-regex -- the class is "beyond ASCII"
const BEYOND_ASCII = /[^\x00-\x7f]/;
const TAG_BASE = 0xe0000;
const TAG = /[\u{e0020}-\u{e007e}]/gu;
/** Soft hyphen, joiners, zero width and direction marks, variation selectors, fillers, the rest of the tag block. */
/* eslint-disable no-misleading-character-class -- each of these stands for itself */
export const INVISIBLE =
  /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]|[\u{e0000}-\u{e01ef}]/gu;
/* eslint-enable no-misleading-character-class */

/**
 * Lower-case letters only: capitals are folded before. Greek letters that are look-alikes only as capitals come as these.
 * Names are held against a table of their own (detectors/look-alike.ts), which may grow: a letter more here changes the
 * fingerprints of words that are in the log already.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  a: 'аα',
  b: 'ьβ',
  c: 'сϲ',
  d: 'ԁ',
  e: 'еєё',
  g: 'ɡ',
  h: 'һ',
  i: 'іιıї',
  j: 'јϳ',
  k: 'кκ',
  l: 'ӏ',
  m: 'м',
  n: 'п',
  o: 'оοօ',
  p: 'рρ',
  q: 'ԛ',
  r: 'г',
  s: 'ѕ',
  t: 'тτ',
  u: 'υս',
  v: 'ѵν',
  w: 'ԝω',
  x: 'хχ',
  y: 'уγ',
  z: 'ʐ',
};
const ASCII_OF: ReadonlyMap<string, string> = new Map(
  Object.entries(LOOK_ALIKES).flatMap(([ascii, letters]) =>
    Array.from(letters).map((letter) => [letter, ascii]),
  ),
);
const LOOK_ALIKE = new RegExp(`[${[...ASCII_OF.keys()].join('')}]`, 'gu');
