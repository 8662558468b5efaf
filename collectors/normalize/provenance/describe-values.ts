import { domainToUnicode } from 'node:url';
import { limits } from '../../../schemas/event/limits.ts';
import type { ValueProvenance } from '../../../schemas/provenance.ts';
import { encodeTokens } from '../../../schemas/token-set.ts';
import { clipText } from '../clip-text.ts';
import { redactText } from '../redact.ts';
import {
  decodedPieces,
  decodedText,
  groupedNumbers,
  IN_ARGUMENTS,
  IN_OUTPUTS,
  joinedText,
} from './decoded-forms.ts';
import { lowered } from './fold-text.ts';
import { randomChars } from './random-chars.ts';
import { sipHashHex52, type SipKey } from './sip-hash.ts';
import { wordTokens } from './words.ts';

const TOKENS_PER_VALUE = 256;
/** Of all values of one call together. */
export const TOKENS_PER_CALL = 2048;

/** One value of the arguments: as it stands, and with its encoded parts decoded. */
export interface ReadValue {
  readonly path: string;
  readonly text: string;
  /** Of a long one both ends. */
  readonly start: string;
  /** The same, decoded: what words are read from. */
  readonly clear: string;
}

/** A value (attacker-controlled) without the value, with at most `tokensMax` words. */
export function describeValue(
  { path, text, start, clear }: ReadValue,
  key: SipKey,
  tokensMax: number,
): { readonly value: ValueProvenance; readonly tokenCount: number } {
  const tokens =
    tokensMax <= 0 ? [] : wordTokens(formsOf(text, clear), key, Math.min(TOKENS_PER_VALUE, tokensMax));
  const told = {
    hash: valueHash(text, key),
    path: pathName(path),
    size_bytes: Buffer.byteLength(text, 'utf8'),
  };
  const random = randomChars(start);
  // In the order of their names, which encodes fast.
  const value =
    random === 0
      ? told
      : { hash: told.hash, path: told.path, random_chars: random, size_bytes: told.size_bytes };
  return {
    value: tokens.length === 0 ? value : { ...value, tokens: encodeTokens(tokens) },
    tokenCount: tokens.length,
  };
}

/** Fingerprints of the words of an output; undefined if it has none. */
export function outputTokens(texts: readonly string[], key: SipKey, max: number): string | undefined {
  return tokenText(wordTokens(withDecoded(texts), key, max));
}

/** Fingerprints of the words of a prompt, a plan or an intent. */
export function intentTokens(text: string, key: SipKey, max: number, maxChars: number): string | undefined {
  return tokenText(wordTokens(withDecoded([text.slice(0, maxChars)]), key, max));
}

/** Fingerprint of a destination: of its host, or of the address as it was written. */
export function destinationTokens(written: string, key: SipKey): string | undefined {
  const shown = written.includes('xn--') ? domainToUnicode(written) : written;
  return tokenText(wordTokens([shown], key, 1));
}

function tokenText(tokens: readonly number[]): string | undefined {
  return tokens.length === 0 ? undefined : encodeTokens(tokens);
}

const PATHS_MAX = 4096;
const knownPaths = new Map<string, string>();

/** Member names may be personal data themselves; what is left has to fit. */
export function pathName(path: string): string {
  const known = knownPaths.get(path);
  if (known !== undefined) return known;
  const name = clipText(redactText(path).text, limits.valuePathChars);
  // Senders choose names: the cache starts over rather than grow.
  if (knownPaths.size >= PATHS_MAX) knownPaths.clear();
  if (path.length <= limits.valuePathChars) knownPaths.set(path, name);
  return name;
}

/**
 * What an argument says in clear: encoded parts are replaced, not added, so that a value copied in another form has no words
 * but those it was copied from.
 */
function formsOf(text: string, clear: string): readonly string[] {
  const joined = joinedText(text);
  const forms = groupedNumbers(clear);
  forms.push(joined === undefined ? clear : (decodedText(joined, IN_ARGUMENTS) ?? joined));
  return forms;
}

/** Outputs are looked up in: their words in every form. */
function* withDecoded(texts: readonly string[]): Generator<string> {
  for (const text of texts) {
    yield text;
    if (text.length < IN_OUTPUTS.base64Chars) continue;
    yield* groupedNumbers(text);
    yield* decodedPieces(text, IN_OUTPUTS);
  }
}

const SHORT_CHARS = 1024;
const ascii = new Uint8Array(SHORT_CHARS);

/** A look-alike letter makes another value: only case, width and space around are folded. */
function valueHash(text: string, key: SipKey): string {
  const trimmed = text.trim();
  const size = asciiBytes(trimmed);
  if (size >= 0) return sipHashHex52(key, ascii, 0, size);
  const bytes = Buffer.from(lowered(trimmed).trim(), 'utf8');
  return sipHashHex52(key, bytes, 0, bytes.length);
}

/** Writes short ASCII in lower case; -1 for any other text. */
function asciiBytes(text: string): number {
  if (text.length > SHORT_CHARS) return -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return -1;
    ascii[at] = code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
  }
  return text.length;
}
