import type { Replace } from './redact.ts';
import { isSecretName } from './secret-names.ts';

/**
 * A name and its separator: `password=`, `"api_key": `, `\"token\":`, `--secret `. Starts at a name boundary and is
 * bounded, so a hostile run of name characters is looked at once.
 */
const NAMED =
  /(?<![\w.-])([\w.-]{2,128})(\\{0,64}["'`]?[ \t]{0,8}(?:=>|:=|[:=])[ \t]{0,8}|[ \t]{1,8}(?=[^\s:=]))/g;
/** What may stand behind a value without being part of it; the empty text stands for the end. */
const AFTER_VALUE = ' \t\r\n&"\'`<>,;)}[]\\';
/** A marker already in the value's place; with more behind it, it is part of a value. */
const MARKER = /\[redacted:[a-z_]{1,32}\](?=[\s&"'`<>,;)}[\]\\]|$)/y;
const LINE_NAMES = /authorization|cookie/i;

/** Replaces what is assigned to a secret's name, whatever the value looks like; quotes and the rest of the text stay. */
export function redactAssignments(text: string, replace: Replace): string {
  let out = '';
  let kept = 0;
  NAMED.lastIndex = 0;
  for (let match = NAMED.exec(text); match !== null; match = NAMED.exec(text)) {
    const [whole, name = '', separator = ''] = match;
    if (separator.trim() === '' && !name.startsWith('--')) {
      NAMED.lastIndex = match.index + name.length + 1;
      continue;
    }
    if (!isSecretName(name)) continue;
    const start = match.index + whole.length;
    const [from, to] = valueSpan(text, start, LINE_NAMES.test(name));
    if (to > from && !isHarmless(text, from, to)) {
      out += text.slice(kept, from) + replace('secret');
      kept = to;
    }
    NAMED.lastIndex = Math.max(to, start);
  }
  return kept === 0 ? text : out + text.slice(kept);
}

/** Where the value that starts here lies, without its quotes. */
function valueSpan(text: string, start: number, wholeLine: boolean): readonly [number, number] {
  let open = start;
  while (text[open] === '\\' && open - start < 64) open++;
  const quote = text[open];
  if (quote === '"' || quote === "'" || quote === '`')
    return [open + 1, closingQuote(text, open + 1, quote, open - start)];
  MARKER.lastIndex = open;
  if (MARKER.test(text)) return [start, start];
  let end = quote === '{' || quote === '[' ? closingBracket(text, open) : start;
  if (end > start && AFTER_VALUE.includes(text.charAt(end))) return [start, end];
  while (end < text.length && !endsValue(text, end, wholeLine)) end++;
  // A trailing comma or bracket belongs to what surrounds the value.
  while (end > start && ',;)}'.includes(text.charAt(end - 1))) end--;
  return [start, end];
}

/** The quote that closes: not escaped deeper than the one that opened. Without one, the value runs to the end. */
function closingQuote(text: string, from: number, quote: string, escapes: number): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let backslashes = 0;
    while (backslashes < 64 && text[at - 1 - backslashes] === '\\') backslashes++;
    if (at - backslashes < from) return Math.max(from, at - backslashes);
    if (backslashes <= escapes) return at - backslashes;
    if (escapes === 0 && backslashes % 2 === 0) return at;
  }
  return text.length;
}

function closingBracket(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const char = text[at];
    if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return text.length;
}

function endsValue(text: string, at: number, wholeLine: boolean): boolean {
  const char = text.charAt(at);
  if (char === '\\') return 'nrt"\''.includes(text.charAt(at + 1));
  return wholeLine ? '\r\n"\'`'.includes(char) : ' \t\r\n&"\'`<>'.includes(char);
}

/** Nothing to hide: a literal that is no secret, or a marker already in its place. */
function isHarmless(text: string, from: number, to: number): boolean {
  if (to - from > 48) return false;
  const value = text.slice(from, to);
  return (
    /^(?:null|true|false|none|undefined|nil)[\]]?$/i.test(value) || /^\[redacted:[a-z_]{1,32}\]$/.test(value)
  );
}
