import { fromBase64 } from './base64.ts';

/**
 * A signed note (C2SP signed-note): text, a blank line, signature lines. What it says counts only after `verifiedBy` has
 * found a signature of a trusted key.
 */
export interface SignedNote {
  /** With its last newline, without the blank line. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  /** First four bytes of what is signed with, as lower-case hex. */
  readonly keyId: string;
  /** Without the key id. */
  readonly signature: Uint8Array;
}

/** Why text is no signed note. */
export class NoteFormatError extends Error {
  constructor(reason: string) {
    super(`cannot read note: ${reason}`);
    this.name = 'NoteFormatError';
  }
}

/** More is nobody's honest note; the format asks for at least 16. */
const MAX_SIGNATURES = 64;
const MAX_BYTES = 1024 * 1024;
const KEY_ID_BYTES = 4;
const SIGNATURE_LINE = /^\u2014 (\P{White_Space}+) (\P{White_Space}+)$/u;
/** Control characters other than newline, and halves of characters, which a string can hold and UTF-8 cannot. */
// eslint-disable-next-line no-control-regex -- control characters are what must not be in a note
const FORBIDDEN = /[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads attacker-controlled bytes. Throws a NoteFormatError. */
export function parseNote(bytes: Uint8Array | string): SignedNote {
  const whole = typeof bytes === 'string' ? bytes : strictText(bytes);
  if (Buffer.byteLength(whole) > MAX_BYTES) throw new NoteFormatError('it is too large');
  if (FORBIDDEN.test(whole)) throw new NoteFormatError('it has control characters');
  // The last blank line: the text may have blank lines of its own.
  const split = whole.lastIndexOf('\n\n');
  if (split < 0) throw new NoteFormatError('no blank line separates text and signatures');
  return { text: whole.slice(0, split + 1), signatures: parseSignatures(whole.slice(split + 2)) };
}

/** Signature lines alone, as a witness answers. Throws a NoteFormatError. */
export function parseSignatures(lines: string): NoteSignature[] {
  if (!lines.endsWith('\n')) throw new NoteFormatError('the last line does not end');
  const each = lines.slice(0, -1).split('\n');
  if (each.length > MAX_SIGNATURES) throw new NoteFormatError('it has too many signatures');
  return each.map((line) => {
    const [, name = '', encoded = ''] = SIGNATURE_LINE.exec(line) ?? [];
    if (!isKeyName(name)) throw new NoteFormatError('a signature line has another form');
    const bytes = fromBase64(encoded);
    if (bytes === undefined || bytes.length <= KEY_ID_BYTES)
      throw new NoteFormatError('a signature is not base64');
    return {
      name,
      keyId: bytes.subarray(0, KEY_ID_BYTES).toString('hex'),
      signature: bytes.subarray(KEY_ID_BYTES),
    };
  });
}

export function formatNote({ text, signatures }: SignedNote): string {
  return `${text}\n${signatures.map(formatSignature).join('')}`;
}

/** One line, with its end. */
export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  return `\u2014 ${name} ${Buffer.concat([Buffer.from(keyId, 'hex'), signature]).toString('base64')}\n`;
}

/** Not empty, no space of any kind, no plus. */
export function isKeyName(name: string): boolean {
  return name !== '' && !/[\p{White_Space}+]/u.test(name) && !FORBIDDEN.test(name);
}

/** Throws a NoteFormatError for bytes that are not UTF-8. */
export function strictText(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new NoteFormatError('it is not UTF-8');
  }
}
