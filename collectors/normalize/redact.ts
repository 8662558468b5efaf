import { emailAt } from './email.ts';
import { redactAssignments } from './redact-assignments.ts';
import { redactCards, redactIbans, redactSsns } from './redact-numbers.ts';
import { SECRET_PATTERNS, SHAPE_HINT } from './redact-patterns.ts';
import { isSecretName, SECRET_NAME_HINT } from './secret-names.ts';

/** Redacted text and how much was replaced, by type. */
export interface RedactedText {
  readonly text: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** Redacted structured value and how much was replaced, by type. */
export interface RedactedValue {
  readonly value: unknown;
  readonly counts: Readonly<Record<string, number>>;
}

/** Counts one replacement of this type and gives the marker to put in its place. */
export type Replace = (type: string) => string;

const NONE: Readonly<Record<string, number>> = Object.freeze({});
const DEPTH_MAX = 64;

/** The shortest token the patterns know is a Slack token of 15 characters. */
const SHORT_CHARS_MAX = 14;
/** US social security numbers have nine digits, cards and IBANs more. */
const DIGITS_HARMLESS_MAX = 8;

/** Whether text may hold anything to redact; false is certain, true is not. */
export function mayNeedRedaction(text: string): boolean {
  if (text.length <= SHORT_CHARS_MAX && isPlainWord(text)) return false;
  return SHAPE_HINT.test(text) || SECRET_NAME_HINT.test(text);
}

/** Letters, `_ - . / +` and few digits: too short for a token, no address, no assignment. */
function isPlainWord(text: string): boolean {
  let digits = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x30 && code <= 0x39) digits++;
    else if (
      code >= 0x80 ||
      (code < 0x41 && (code < 0x2b || code === 0x2c)) ||
      (code > 0x39 && code < 0x41) ||
      code === 0x5c
    )
      return false;
  }
  return digits <= DIGITS_HARMLESS_MAX;
}

/**
 * Replaces secrets and personal data in attacker-controlled text by `[redacted:<type>]`, in time linear in its length.
 * Idempotent. Redacts keys and tokens of known shape, values assigned to secret names, credentials in URLs, e-mail
 * addresses, payment cards, IBANs, US SSNs. Not phone numbers and IP addresses: too many numbers look like the first,
 * and detection lives on the second.
 */
export function redactText(text: string): RedactedText {
  return mayNeedRedaction(text) ? redactClosely(text, true) : { text, counts: NONE };
}

/** As `redactText`, but keeps e-mail addresses: for identities, which are the point of an audit record. */
export function redactIdentity(text: string): RedactedText {
  return mayNeedRedaction(text) ? redactClosely(text, false) : { text, counts: NONE };
}

/**
 * Redacts plain JSON values; the value under a secret's name goes whole, also in `{name, value}` pairs. Cuts what lies
 * deeper than 64 levels.
 */
export function redactValue(value: unknown): RedactedValue {
  const counts: Record<string, number> = {};
  const replace = counter(counts);
  return { value: walk(value, replace, counts, 0), counts };
}

function walk(value: unknown, replace: Replace, counts: Record<string, number>, depth: number): unknown {
  if (typeof value === 'string') {
    const redacted = redactText(value);
    addCounts(counts, redacted.counts);
    return redacted.text;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return replace('depth');
  if (Array.isArray(value)) return value.map((item) => walk(item, replace, counts, depth + 1));
  const record = value as Record<string, unknown>;
  const pairName = record['name'] ?? record['key'];
  const secretPair = typeof pairName === 'string' && 'value' in record && isSecretName(pairName);
  const out: [string, unknown][] = [];
  for (const [key, item] of Object.entries(record)) {
    const secret = isSecretName(key) || (secretPair && key === 'value');
    const redactedKey = redactText(key);
    addCounts(counts, redactedKey.counts);
    out.push([redactedKey.text, secret ? hide(item, replace) : walk(item, replace, counts, depth + 1)]);
  }
  // Object.fromEntries defines keys, so `__proto__` stays a key like any other.
  return Object.fromEntries(out);
}

/** A value under a secret's name: absent and boolean values tell nothing. */
function hide(value: unknown, replace: Replace): unknown {
  if (value === null || value === '' || typeof value === 'boolean') return value;
  if (typeof value === 'string' && /^\[redacted:[a-z_]{1,32}\]$/.test(value)) return value;
  return replace('secret');
}

function redactClosely(text: string, emails: boolean): RedactedText {
  const counts: Record<string, number> = {};
  const replace = counter(counts);
  let out = decodeEscapes(text);
  out = redactPrivateKeys(out, replace);
  if (SECRET_NAME_HINT.test(out)) out = redactAssignments(out, replace);
  for (const { type, hints, pattern } of SECRET_PATTERNS)
    if (hints.some((hint) => out.includes(hint))) out = out.replace(pattern, () => replace(type));
  out = redactUrls(out, replace);
  out = redactSchemes(out, replace);
  if (emails) out = redactEmails(out, replace);
  if (/\d{3}/.test(out)) out = redactSsns(redactIbans(redactCards(out, replace), replace), replace);
  return { text: out, counts };
}

/**
 * ASCII written as a Unicode escape, however often the backslash was escaped: `\u002d` is `-`. Quotes and backslashes stay
 * escaped, so that JSON stays JSON.
 */
function decodeEscapes(text: string): string {
  if (!text.includes('\\u00')) return text;
  // The lookbehind lets a run of backslashes start once only.
  return text.replace(/(?<!\\)\\+u00([2-7][0-9a-fA-F])/g, (escape, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return char === '"' || char === '\\' || char === '\u007f' ? escape : char;
  });
}

/** From `BEGIN … PRIVATE KEY` to its end line, or to the end of the text where that is missing. */
function redactPrivateKeys(text: string, replace: Replace): string {
  let begin = text.indexOf('-----BEGIN');
  if (begin === -1) return text;
  let out = '';
  let kept = 0;
  while (begin !== -1) {
    const header = text.slice(begin + 10, begin + 74);
    const title = /^[A-Z0-9 ]*PRIVATE KEY/.exec(header)?.[0];
    if (title === undefined) {
      begin = text.indexOf('-----BEGIN', begin + 10);
      continue;
    }
    const end = text.indexOf('-----END', begin + 10 + title.length);
    const close = end === -1 ? -1 : text.indexOf('-----', end + 8);
    out += text.slice(kept, begin) + replace('private_key');
    kept = close === -1 ? text.length : close + 5;
    begin = text.indexOf('-----BEGIN', kept);
  }
  return out + text.slice(kept);
}

/** User information and secret query parameters of URLs. */
function redactUrls(text: string, replace: Replace): string {
  let out = text;
  if (out.includes('://') && out.includes('@'))
    out = out.replace(/:\/\/([^\s/?#@"'<>\\]{1,512})@/g, (whole, userinfo: string) =>
      (userinfo.includes(':') || userinfo.length >= 20) && !/^\[redacted:[a-z_]+\]$/.test(userinfo)
        ? `://${replace('url_credentials')}@`
        : whole,
    );
  if (/[?&;]/.test(out))
    out = out.replace(
      /([?&;](?:amp;)?)(sig|signature|auth|key|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential))=([^&#\s"'<>\\]+)/gi,
      (whole, lead: string, name: string, value: string) =>
        /^\[redacted:[a-z_]+\]$/.test(value) ? whole : `${lead}${name}=${replace('url_secret')}`,
    );
  return out;
}

/** `Bearer <token>` and `Basic <base64>` outside a header; English after either word stays. */
function redactSchemes(text: string, replace: Replace): string {
  return text.replace(
    /(?<![A-Za-z0-9])(bearer|basic)( {1,4})([\w+/=.~-]{8,})/gi,
    (whole, scheme: string, space: string, token: string) => {
      const isToken =
        scheme.length === 6
          ? /\d/.test(token) || token.length >= 24
          : token.length < 4096 && Buffer.from(token, 'base64').includes(0x3a);
      return isToken ? `${scheme}${space}${replace('authorization')}` : whole;
    },
  );
}

function redactEmails(text: string, replace: Replace): string {
  let out = '';
  let kept = 0;
  const signs = /@|%40/g;
  for (let sign = signs.exec(text); sign !== null; sign = signs.exec(text)) {
    const found = emailAt(text, sign.index, sign[0].length);
    // The account every git server has is nobody's address.
    if (found === undefined || found.start < kept || found.local === 'git') continue;
    out += text.slice(kept, found.start) + replace('email');
    kept = found.end;
    signs.lastIndex = kept;
  }
  return kept === 0 ? text : out + text.slice(kept);
}

function counter(counts: Record<string, number>): Replace {
  return (type) => {
    counts[type] = (counts[type] ?? 0) + 1;
    return `[redacted:${type}]`;
  };
}

/** Adds the counts of a part to those of the whole. */
export function addCounts(total: Record<string, number>, part: Readonly<Record<string, number>>): void {
  if (part === NONE) return;
  for (const type of Object.keys(part)) total[type] = (total[type] ?? 0) + (part[type] ?? 0);
}

/** Cuts text to a number of UTF-16 units without splitting a character or a redaction marker; makes it well-formed. */
export function clip(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text.isWellFormed() ? text : text.toWellFormed();
  let end = maxChars - 1;
  const marker = text.lastIndexOf('[redacted:', end);
  if (marker !== -1 && text.indexOf(']', marker) >= end) end = marker;
  const code = text.charCodeAt(end - 1);
  if (code >= 0xd800 && code <= 0xdbff) end--;
  return `${text.slice(0, end)}…`.toWellFormed();
}
