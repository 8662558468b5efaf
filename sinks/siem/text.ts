/**
 * Text of an alert holds names from events and is attacker-controlled: it may carry control characters, lone
 * surrogates, bidirectional overrides and any length. These functions are linear in what they return.
 */

/** C0, DEL, C1 (with NEL), line and paragraph separator, bidirectional marks and overrides, byte order mark. */
const unsafe =
  // eslint-disable-next-line no-control-regex -- control characters are what is searched for
  /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const unsafeAll = new RegExp(unsafe, 'g');

/** Put where text was cut. ASCII, and needs no escape in any of the formats. */
export const CUT_MARK = '~[cut]';

const codeUnit = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Lone surrogates become U+FFFD, so that the text has one UTF-8 form. */
export function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** Writes the unsafe characters of a finished JSON text as `\uXXXX`: the same value, safe for line readers. */
export function escapeJsonText(json: string): string {
  return json.replace(unsafeAll, codeUnit);
}

/** The unsafe characters made visible as `\uXXXX`; one way, the original is in the ledger. */
export function showControl(char: string): string {
  return unsafe.test(char) ? codeUnit(char) : char;
}

/** The first `maxChars` code points, the last ones replaced by the mark if something was cut. */
export function cutChars(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  // A code point takes at most two code units: nothing beyond this window can be kept.
  const points = Array.from(text.slice(0, 2 * maxChars + 2));
  if (points.length <= maxChars) return points.join('');
  return points.slice(0, Math.max(0, maxChars - CUT_MARK.length)).join('') + CUT_MARK;
}

/**
 * Text escaped character by character, at most `maxBytes` of UTF-8 in all; an escape sequence is never split, and
 * cut text ends in the mark.
 */
export function escapeWithin(text: string, escape: (char: string) => string, maxBytes: number): string {
  let out = '';
  let outBytes = 0;
  let keep = '';
  for (const char of text) {
    const piece = escape(char.length === 1 && isSurrogate(char) ? '\ufffd' : char);
    const pieceBytes = Buffer.byteLength(piece);
    if (outBytes + pieceBytes > maxBytes) return maxBytes < CUT_MARK.length ? '' : keep + CUT_MARK;
    out += piece;
    outBytes += pieceBytes;
    if (outBytes + CUT_MARK.length <= maxBytes) keep = out;
  }
  return out;
}

function isSurrogate(char: string): boolean {
  const code = char.charCodeAt(0);
  return code >= 0xd800 && code <= 0xdfff;
}
