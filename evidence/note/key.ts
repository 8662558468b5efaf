import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { fromBase64 } from './base64.ts';
import { isKeyName, type NoteSignature, type SignedNote } from './note.ts';

/** What a key signs: `log` = the text (Ed25519, type 0x01), `witness` = text and time (C2SP tlog-cosignature, 0x04). */
export type KeyUse = 'log' | 'witness';

const TYPE: Readonly<Record<KeyUse, number>> = { log: 0x01, witness: 0x04 };
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** PrivateKeyInfo of an Ed25519 key up to its 32 bytes of seed (RFC 8410 §7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SECRET = 'PRIVATE+KEY+';

export interface VerifierKey {
  readonly name: string;
  /** Lower-case hex of four bytes: names the key, does not identify it. */
  readonly keyId: string;
  readonly use: KeyUse;
  readonly publicKey: KeyObject;
}

export interface SigningKey extends VerifierKey {
  readonly privateKey: KeyObject;
}

export function verifierKey(name: string, use: KeyUse, publicKey: KeyObject): VerifierKey {
  if (!isKeyName(name)) throw new RangeError('a key name is not empty and has no spaces and no plus');
  const identified = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([TYPE[use]]), rawOf(publicKey)]);
  return { name, keyId: hash('sha256', identified, 'hex').slice(0, 8), use, publicKey };
}

export function signingKey(name: string, use: KeyUse, privateKey: KeyObject): SigningKey {
  return { ...verifierKey(name, use, createPublicKey(privateKey)), privateKey };
}

/** `<name>+<key id>+<base64 of type and key>`, as C2SP tools write a public key. */
export function formatVerifierKey({ name, keyId, use, publicKey }: VerifierKey): string {
  return `${name}+${keyId}+${encode(use, rawOf(publicKey))}`;
}

/** Throws a RangeError for text that is no such key. */
export function parseVerifierKey(text: string): VerifierKey {
  const { name, keyId, use, bytes } = parseParts(text);
  const der = Buffer.concat([SPKI_PREFIX, bytes]);
  return agreed(verifierKey(name, use, createPublicKey({ key: der, format: 'der', type: 'spki' })), keyId);
}

/** `PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`: the secret, as C2SP tools write it. */
export function formatSigningKey({ name, keyId, use, privateKey }: SigningKey): string {
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length);
  return `${SECRET}${name}+${keyId}+${encode(use, seed)}`;
}

/** Throws a RangeError, which does not repeat the text, for text that is no such key. */
export function parseSigningKey(text: string): SigningKey {
  if (!text.startsWith(SECRET)) throw new RangeError('not a signing key: it begins with PRIVATE+KEY+');
  const { name, keyId, use, bytes } = parseParts(text.slice(SECRET.length));
  const der = Buffer.concat([PKCS8_PREFIX, bytes]);
  return agreed(signingKey(name, use, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })), keyId);
}

/** Signs the text; a witness says that at this time (seconds since the epoch) it is the largest tree it saw. */
export function signText(key: SigningKey, text: string, timeSec: bigint): NoteSignature {
  const { name, keyId, use, privateKey } = key;
  const signature = sign(null, messageOf(use, text, timeSec), privateKey);
  if (use === 'log') return { name, keyId, signature };
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(timeSec);
  return { name, keyId, signature: Buffer.concat([time, signature]) };
}

export interface Verified {
  readonly key: VerifierKey;
  /** When a witness signed, in seconds since the epoch. */
  readonly timeSec: bigint | undefined;
}

/**
 * The trusted keys that signed the note. Unknown keys are left out, also where name or id are those of a known one; a
 * signature of a known key that does not verify makes the note bad: then `bad` names the key.
 */
export function verifiedBy(
  note: SignedNote,
  trusted: readonly VerifierKey[],
): { readonly by: readonly Verified[]; readonly bad: VerifierKey | undefined } {
  const by: Verified[] = [];
  for (const { name, keyId, signature } of note.signatures) {
    const key = trusted.find((known) => known.name === name && known.keyId === keyId);
    if (key === undefined || by.some((already) => already.key === key)) continue;
    const verified = verifySignature(key, note.text, signature);
    if (verified === undefined) return { by: [], bad: key };
    by.push(verified);
  }
  return { by, bad: undefined };
}

function verifySignature(key: VerifierKey, text: string, bytes: Uint8Array): Verified | undefined {
  const signed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const timeBytes = key.use === 'witness' ? 8 : 0;
  if (signed.length !== timeBytes + SIGNATURE_BYTES) return undefined;
  const timeSec = key.use === 'witness' ? signed.readBigUInt64BE() : undefined;
  if (timeSec !== undefined && timeSec >= 1n << 63n) return undefined;
  const message = messageOf(key.use, text, timeSec ?? 0n);
  return verify(null, message, key.publicKey, signed.subarray(timeBytes)) ? { key, timeSec } : undefined;
}

const encode = (use: KeyUse, bytes: Uint8Array) =>
  Buffer.concat([Buffer.from([TYPE[use]]), bytes]).toString('base64');

function parseParts(text: string) {
  const [, name = '', keyId = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? [];
  const bytes = fromBase64(encoded);
  const use = (Object.keys(TYPE) as KeyUse[]).find((each) => TYPE[each] === bytes?.[0]);
  if (bytes?.length !== 1 + KEY_BYTES || use === undefined)
    throw new RangeError('not a key: <name>+<key id>+<base64>, of an Ed25519 log or witness');
  return { name, keyId, use, bytes: bytes.subarray(1) };
}

function agreed<Key extends VerifierKey>(key: Key, keyId: string): Key {
  if (key.keyId !== keyId)
    throw new RangeError(`the id of the key of ${key.name} is ${key.keyId}, not ${keyId}`);
  return key;
}

function messageOf(use: KeyUse, text: string, timeSec: bigint): Buffer {
  return Buffer.from(use === 'log' ? text : `cosignature/v1\ntime ${timeSec}\n${text}`);
}

function rawOf(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new RangeError('not an Ed25519 key');
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}
