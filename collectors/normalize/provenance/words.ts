import { limits } from '../../../schemas/event/limits.ts';
import { foldText } from './fold-text.ts';
import { sipHash32, type SipKey } from './sip-hash.ts';

/**
 * Fingerprints of the distinct words of texts (attacker-controlled), in order of appearance, at most `max` (up to
 * `limits.tokens`). Where there are more, words that tell something (with a digit, `.`, `@` or `/`, or of 8 letters) go
 * before the others. Time is linear in the length of the texts; reading stops when nothing more would be kept.
 *
 * A word is a run of letters, digits and what may stand inside an address, an id, a path or a version: one of
 * `. - _ + % ~ / : @ ? = & #` between letters. Where it has parts (host and path of a URL, both sides of an address) each
 * part is a word as well. Words are folded (`foldText`), capitals are lowered, single ASCII characters left out.
 */
export function wordTokens(texts: Iterable<string>, key: SipKey, max: number): readonly number[] {
  const scan = newScan(key, Math.min(max, limits.tokens));
  for (const text of texts) {
    if (isFull(scan)) break;
    readText(foldText(text), scan);
  }
  return chosen(scan);
}

/** What is kept while texts are read; one at a time, for the table of the words seen is shared. */
interface Scan {
  readonly key: SipKey;
  readonly max: number;
  readonly tokens: number[];
  readonly telling: boolean[];
  tellingCount: number;
}

const SEPARATOR = 0;
const JOINER = 1;
const PART = 2;
const SOLID = 3;
/** Scripts written without spaces: a host in the midst of them ends where they begin. */
const IDEOGRAPH = 4;

const CLASSES = new Uint8Array(128);
for (const char of '.-_+%~') CLASSES[char.charCodeAt(0)] = JOINER;
for (const char of '/:@?=&#') CLASSES[char.charCodeAt(0)] = PART;
for (let code = 0; code < 128; code++)
  if (/[0-9A-Za-z]/.test(String.fromCharCode(code))) CLASSES[code] = SOLID;

function classOf(code: number): number {
  if (code < 0x80) return CLASSES[code] ?? SEPARATOR;
  if (code < 0xc0 || code === 0xd7 || code === 0xf7) return SEPARATOR;
  if (code < 0x2000) return SOLID;
  if (code < 0x2e80 || (code >= 0x3000 && code < 0x3040)) return SEPARATOR;
  return IDEOGRAPH;
}

const WORD_BYTES_MAX = 4096;
const CHAR_BYTES_MAX = 3;
const word = new Uint8Array(WORD_BYTES_MAX + CHAR_BYTES_MAX);

const BACKSLASH = 0x5c;

function readText(text: string, scan: Scan): void {
  const length = text.length;
  let at = 0;
  while (at < length) {
    const code = text.charCodeAt(at);
    const kind = classOf(code);
    if (kind >= SOLID) {
      at = readWord(text, at, kind, scan);
      if (isFull(scan)) return;
    } else if (code === BACKSLASH) {
      // JSON inside of text: the letter of an escape is no part of the word behind it.
      at += isEscapeLetter(text.charCodeAt(at + 1)) ? 2 : 1;
    } else at++;
  }
}

function isEscapeLetter(code: number): boolean {
  return code === 0x6e || code === 0x72 || code === 0x74 || code === BACKSLASH;
}

/** Takes the word that begins here; returns where it ends. */
function readWord(text: string, from: number, kind: number, scan: Scan): number {
  let at = from;
  let size = 0;
  let solidSize = 0;
  let hasParts = false;
  for (; at < text.length && size < WORD_BYTES_MAX; at++) {
    let code = text.charCodeAt(at);
    const next = classOf(code);
    if (next === SEPARATOR || (next === IDEOGRAPH) !== (kind === IDEOGRAPH)) break;
    if (code < 0x80) {
      if (code >= 0x41 && code <= 0x5a) code += 0x20;
      word[size++] = code;
    } else if (code < 0x800) {
      word[size++] = 0xc0 | (code >> 6);
      word[size++] = 0x80 | (code & 0x3f);
    } else {
      word[size++] = 0xe0 | (code >> 12);
      word[size++] = 0x80 | ((code >> 6) & 0x3f);
      word[size++] = 0x80 | (code & 0x3f);
    }
    if (next >= SOLID) solidSize = size;
    else if (next === PART) hasParts = true;
  }
  keep(0, solidSize, scan);
  if (hasParts) keepParts(solidSize, scan);
  return at;
}

function keepParts(size: number, scan: Scan): void {
  let start = 0;
  for (let at = 0; at <= size; at++) {
    const code = at === size ? 0x2f : (word[at] ?? 0);
    if (code >= 0x80 || CLASSES[code] !== PART) continue;
    let end = at;
    while (start < end && isJoiner(start)) start++;
    while (end > start && isJoiner(end - 1)) end--;
    if (end - start < size) keep(start, end, scan);
    start = at + 1;
  }
}

function isJoiner(at: number): boolean {
  const code = word[at] ?? 0;
  return code < 0x80 && CLASSES[code] === JOINER;
}

function keep(start: number, end: number, scan: Scan): void {
  if (end - start < 2) return;
  keepToken(start, end, scan);
  if (word[start] === 0x77 && word[start + 3] === 0x2e && startsWithWww(start) && end - start > 4)
    keepToken(start + 4, end, scan);
  else if (word[end - 1] === 0x30) keepAmount(start, end, scan);
}

function startsWithWww(start: number): boolean {
  return word[start + 1] === 0x77 && word[start + 2] === 0x77;
}

/** `50.00` is the number 50 as well. */
function keepAmount(start: number, end: number, scan: Scan): void {
  let dot = -1;
  for (let at = start; at < end; at++) {
    const code = word[at] ?? 0;
    if (code === 0x2e && dot === -1) dot = at;
    else if (code < 0x30 || code > 0x39) return;
  }
  if (dot <= start) return;
  let last = end;
  while (word[last - 1] === 0x30) last--;
  if (last - 1 === dot) last = dot;
  if (last - start >= 2) keepToken(start, last, scan);
}

/** Places of the tokens seen: the token, and the number of the scan that put it there. */
const SEEN_PLACES = 8192;
const seenTokens = new Int32Array(SEEN_PLACES);
const seenBy = new Uint32Array(SEEN_PLACES);
let scanNumber = 0;

function newScan(key: SipKey, max: number): Scan {
  scanNumber = (scanNumber + 1) >>> 0;
  if (scanNumber === 0) {
    seenBy.fill(0);
    scanNumber = 1;
  }
  return { key, max, tokens: [], telling: [], tellingCount: 0 };
}

function isFull({ tellingCount, max }: Scan): boolean {
  return tellingCount >= max;
}

function keepToken(start: number, end: number, scan: Scan): void {
  const telling = isTelling(start, end);
  // Half of the table at most is taken: as many plain words as telling ones.
  if (telling ? isFull(scan) : scan.tokens.length - scan.tellingCount >= scan.max) return;
  const token = sipHash32(scan.key, word, start, end);
  let place = token & (SEEN_PLACES - 1);
  while (seenBy[place] === scanNumber) {
    if (seenTokens[place] === token) return;
    place = (place + 1) & (SEEN_PLACES - 1);
  }
  seenBy[place] = scanNumber;
  seenTokens[place] = token;
  scan.tokens.push(token);
  scan.telling.push(telling);
  if (telling) scan.tellingCount++;
}

const TELLING_BYTES = 8;

function isTelling(start: number, end: number): boolean {
  if (end - start >= TELLING_BYTES) return true;
  for (let at = start; at < end; at++) {
    const code = word[at] ?? 0;
    if ((code >= 0x30 && code <= 0x39) || code === 0x2e || code === 0x40 || code === 0x2f) return true;
  }
  return false;
}

function chosen({ tokens, telling, tellingCount, max }: Scan): readonly number[] {
  if (tokens.length <= max) return tokens;
  let plainLeft = max - tellingCount;
  return tokens.filter((_, index) => telling[index] === true || plainLeft-- > 0);
}
