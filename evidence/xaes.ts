import { createCipheriv, createDecipheriv, type Cipher } from 'node:crypto';

const TAG_BYTES = 16;
export const XAES_KEY_BYTES = 32;
export const XAES_NONCE_BYTES = 24;
const ZERO_BLOCK = Buffer.alloc(16);

/** A key made ready for several messages. */
export interface XaesKey {
  /** Encrypts single blocks. */
  readonly aes: Cipher;
  readonly subkey: Uint8Array;
}

export function xaesKey(key: Uint8Array): XaesKey {
  const aes = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return { aes, subkey: doubled(aes.update(ZERO_BLOCK)) };
}

/**
 * XAES-256-GCM (C2SP): AES-256-GCM under a key derived from the key and half of a 192-bit nonce, so that nonces may be
 * random for any number of messages. Returns ciphertext and tag. A nonce must never be used twice with one key.
 */
export function xaesSeal(
  key: XaesKey,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  additional: Uint8Array,
): Buffer {
  const cipher = createCipheriv('aes-256-gcm', derivedKey(key, nonce), nonce.subarray(12));
  cipher.setAAD(additional);
  const body = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([body, cipher.getAuthTag()]);
}

/** The plaintext; `undefined` for a wrong key, nonce, ciphertext or additional data. Reads attacker-controlled bytes. */
export function xaesOpen(
  key: XaesKey,
  nonce: Uint8Array,
  sealed: Uint8Array,
  additional: Uint8Array,
): Buffer | undefined {
  if (nonce.length !== XAES_NONCE_BYTES || sealed.length < TAG_BYTES) return undefined;
  const body = sealed.subarray(0, sealed.length - TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', derivedKey(key, nonce), nonce.subarray(12), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additional);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(body);
  try {
    decipher.final();
    return plaintext;
  } catch {
    return undefined;
  }
}

/** CMAC-AES256 in counter mode over one block each (NIST SP 800-108r1), as the specification writes it out. */
function derivedKey({ aes, subkey }: XaesKey, nonce: Uint8Array): Buffer {
  const blocks = Buffer.alloc(32);
  for (const [index, at] of [0, 16].entries()) {
    blocks[at + 1] = index + 1;
    blocks[at + 2] = 0x58;
    blocks.set(nonce.subarray(0, 12), at + 4);
    for (let byte = 0; byte < 16; byte++) blocks[at + byte] = (blocks[at + byte] ?? 0) ^ (subkey[byte] ?? 0);
  }
  return aes.update(blocks);
}

/** Doubling in GF(2^128), NIST SP 800-38B §6.1. */
function doubled(block: Uint8Array): Buffer {
  const out = Buffer.alloc(16);
  for (let byte = 0; byte < 16; byte++) out[byte] = ((block[byte] ?? 0) << 1) | ((block[byte + 1] ?? 0) >> 7);
  if (((block[0] ?? 0) & 0x80) !== 0) out[15] = (out[15] ?? 0) ^ 0x87;
  return out;
}
