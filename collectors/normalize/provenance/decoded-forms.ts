/** How many encoded words of one text are looked into. */
const ENCODED_MAX = 128;
const DEPTH_MAX = 2;
/** A longer text is not put together. */
const JOINED_CHARS_MAX = 4096;
const PIECE_CHARS = 5;
const GROUPED_CHARS_MIN = 14;
const LETTERS = /[\p{L}\p{N}]{2}/u;

export interface EncodedLimits {
  /** Shortest run taken for base64. */
  readonly base64Chars: number;
  /** Shortest run taken for hex. */
  readonly hexChars: number;
}

/** Of arguments: who hides a value there has little room. */
export const IN_ARGUMENTS: EncodedLimits = { base64Chars: 12, hexChars: 16 };
/** Of outputs, which hold many words that are no code. */
export const IN_OUTPUTS: EncodedLimits = { base64Chars: 16, hexChars: 32 };

/**
 * A text (attacker-controlled) with its encoded parts decoded: percent-encoding, base64, base64url and hex, two levels deep,
 * where the result is readable text. `undefined` where nothing is encoded. Bounded in number and linear in length.
 */
export function decodedText(text: string, limits: EncodedLimits): string | undefined {
  if (text.length < limits.base64Chars && !text.includes('%')) return undefined;
  let decoded = text;
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const before = decoded;
    if (decoded.includes('%')) decoded = percentDecoded(decoded);
    decoded = runsDecoded(decoded, limits, []);
    if (decoded === before) break;
  }
  return decoded === text ? undefined : decoded;
}

/** What the encoded parts of an output say, each by itself. */
export function decodedPieces(text: string, limits: EncodedLimits): string[] {
  if (text.length < limits.base64Chars) return [];
  const pieces: string[] = [];
  const percent = text.includes('%') ? percentDecoded(text) : text;
  if (percent !== text) pieces.push(percent);
  runsDecoded(percent, limits, pieces);
  for (const piece of pieces.slice(0, ENCODED_MAX)) {
    const inner = piece === percent ? undefined : decodedText(piece, limits);
    if (inner !== undefined) pieces.push(inner);
  }
  return pieces;
}

function runsDecoded(text: string, { base64Chars, hexChars }: EncodedLimits, pieces: string[]): string {
  let out = '';
  let kept = 0;
  const runs = /[A-Za-z0-9+/_-]{12,}={0,2}/g;
  for (let looked = 0; looked < ENCODED_MAX;) {
    const found = runs.exec(text);
    if (found === null) break;
    const run = found[0];
    if (run.length < base64Chars || !mayBeCode(run)) continue;
    looked++;
    const decoded = fromHex(run, hexChars) ?? fromBase64(run);
    if (decoded === undefined) continue;
    pieces.push(decoded);
    out += `${text.slice(kept, found.index)} ${decoded} `;
    kept = runs.lastIndex;
  }
  return kept === 0 ? text : out + text.slice(kept);
}

/** Words and paths have small letters only; base64 of that length has capitals nearly always, hex has digits. */
function mayBeCode(run: string): boolean {
  let capitals = 0;
  let digits = 0;
  for (let at = 0; at < run.length; at++) {
    const code = run.charCodeAt(at);
    if (code >= 0x41 && code <= 0x5a) capitals++;
    else if (code >= 0x30 && code <= 0x39) digits++;
  }
  return capitals > 1 || digits * 4 > run.length;
}

/** The text without white space, where it is cut into pieces as short as to hide an address or a code in them. */
export function joinedText(text: string): string | undefined {
  if (text.length > JOINED_CHARS_MAX || !mayBeCut(text)) return undefined;
  const pieces = text.trim().split(/\s+/);
  const joined = pieces.join('');
  const isCut = pieces.length > 1 && joined.length < pieces.length * PIECE_CHARS && /[.@/\d]/.test(joined);
  // A code broken into lines.
  return isCut || /^[A-Za-z0-9+/_=-]+(?:\r?\n[A-Za-z0-9+/_=-]+)+$/.test(text.trim()) ? joined : undefined;
}

/** Short pieces, or lines and no other space; words of prose are longer. */
function mayBeCut(text: string): boolean {
  let spaces = 0;
  let lines = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x0a) lines++;
    else if (code <= 0x20 || code === 0xa0 || (code >= 0x2000 && code <= 0x3000)) spaces++;
  }
  return (spaces > 0 && text.length < (spaces + lines + 1) * (PIECE_CHARS + 1)) || lines > 0;
}

/** Account and card numbers written in groups, as one word. */
export function groupedNumbers(text: string): string[] {
  if (text.length < GROUPED_CHARS_MIN) return [];
  const groups = text.match(GROUPED);
  return groups === null ? [] : groups.slice(0, ENCODED_MAX).map((group) => group.replace(/[ -]/g, ''));
}

/** IBANs as printed, and digits in groups of four. */
const GROUPED =
  /\b(?:[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?|\d{4}(?:[ -]\d{4}){2,4}(?:[ -]\d{1,3})?)\b/g;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function percentDecoded(text: string): string {
  return text.replace(
    /(?:%[0-9a-fA-F]{2})+/g,
    (codes) => readable(Buffer.from(codes.replaceAll('%', ''), 'hex')) ?? codes,
  );
}

function fromHex(run: string, minChars: number): string | undefined {
  if (run.length < minChars || run.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(run)) return undefined;
  return readable(Buffer.from(run, 'hex'));
}

function fromBase64(run: string): string | undefined {
  const length = run.endsWith('=') ? run.indexOf('=') : run.length;
  if (length % 4 === 1) return undefined;
  const text = readable(Buffer.from(run, 'base64'));
  // Letters at random rarely decode to text, and then to signs.
  return text !== undefined && LETTERS.test(text) ? text : undefined;
}

/** UTF-8 without control characters but white space. */
function readable(bytes: Buffer): string | undefined {
  // The first bytes tell mostly.
  for (let at = 0; at < Math.min(bytes.length, 8); at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x7f || (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)) return undefined;
  }
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return undefined;
  }
  // eslint-disable-next-line no-control-regex -- control characters are what tells
  return /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/.test(text) ? undefined : text;
}
