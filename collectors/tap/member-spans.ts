/**
 * Where the members of a JSON object lie in its bytes, so that a size is the size on the wire and not that of a
 * re-serialisation. Works on text `JSON.parse` has accepted; each call is one linear pass over the value.
 */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface Members {
  readonly spans: ReadonlyMap<string, Span>;
  /** A wanted member occurs more than once: parsers disagree on which counts, JSON.parse and we take the last. */
  readonly repeated: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
/** A wanted name, every character written as \uXXXX, is no longer than this. */
const NAME_MAX_BYTES = 6 * 32;
const NATIVE_SEARCH_AFTER_BYTES = 32;

const isOpening = (byte: number | undefined) => byte === 0x7b || byte === 0x5b;
const isClosing = (byte: number | undefined) => byte === 0x7d || byte === 0x5d;
const isSpace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

/** Spans of the wanted members of the object at `span`; none if there is no object. */
export function memberSpans(json: Uint8Array, span: Span, wanted: ReadonlySet<string>): Members {
  const spans = new Map<string, Span>();
  let repeated = false;
  let at = skipSpace(json, span.start);
  if (json[at] !== 0x7b) return { spans, repeated };
  at = skipSpace(json, at + 1);
  while (at < span.end && json[at] === QUOTE) {
    const nameEnd = skipString(json, at);
    const name = nameAt(json, at, nameEnd);
    const start = skipSpace(json, skipSpace(json, nameEnd) + 1);
    const end = skipValue(json, start);
    if (name !== undefined && wanted.has(name)) {
      repeated ||= spans.has(name);
      spans.set(name, { start, end });
    }
    at = skipSpace(json, end);
    if (json[at] !== COMMA) break;
    at = skipSpace(json, at + 1);
  }
  return { spans, repeated };
}

/** Spans of the elements of the array at `span`, in order, one at a time. */
export function* elementSpans(json: Uint8Array, span: Span): Generator<Span> {
  let at = skipSpace(json, span.start);
  if (json[at] !== 0x5b) return;
  at = skipSpace(json, at + 1);
  while (at < span.end && !isClosing(json[at])) {
    const end = skipValue(json, at);
    yield { start: at, end };
    at = skipSpace(json, end);
    if (json[at] !== COMMA) return;
    at = skipSpace(json, at + 1);
  }
}

function nameAt(json: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > NAME_MAX_BYTES + 2) return undefined;
  const text = Buffer.from(json.buffer, json.byteOffset + start, end - start).toString('utf8');
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(json[at])) at++;
  return at;
}

/** `from` is at the opening quote; the result is after the closing one. */
function skipString(json: Uint8Array, from: number): number {
  let at = from + 1;
  const near = at + NATIVE_SEARCH_AFTER_BYTES;
  for (; at < near && at < json.length; at++) {
    if (json[at] === BACKSLASH) at++;
    else if (json[at] === QUOTE) return at + 1;
  }
  while (at < json.length) {
    const quote = json.indexOf(QUOTE, at);
    if (quote === -1) return json.length;
    if (!isEscaped(json, quote, at)) return quote + 1;
    at = quote + 1;
  }
  return json.length;
}

/** An odd run of backslashes before the quote; `from` is known not to be inside an escape. */
function isEscaped(json: Uint8Array, quote: number, from: number): boolean {
  let run = quote - 1;
  while (run >= from && json[run] === BACKSLASH) run--;
  return (quote - 1 - run) % 2 === 1;
}

function skipValue(json: Uint8Array, from: number): number {
  if (json[from] === QUOTE) return skipString(json, from);
  let at = from;
  if (!isOpening(json[at])) {
    while (
      at < json.length &&
      json[at] !== COMMA &&
      json[at] !== COLON &&
      !isClosing(json[at]) &&
      !isSpace(json[at])
    )
      at++;
    return at;
  }
  let depth = 0;
  while (at < json.length) {
    const byte = json[at];
    if (byte === QUOTE) {
      at = skipString(json, at);
      continue;
    }
    at++;
    if (isOpening(byte)) depth++;
    else if (isClosing(byte) && --depth === 0) return at;
  }
  return at;
}
