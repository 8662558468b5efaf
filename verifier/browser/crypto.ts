import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Buffer } from './buffer.ts';

/**
 * What the verifier needs of node:crypto, in a browser: SHA-256 and Ed25519, checked as strictly as OpenSSL does. Nothing
 * here signs, and there is no RSA or ECDSA: `constants` is missing on purpose, which is how timestamps.ts knows.
 */
export interface KeyObject {
  readonly asymmetricKeyType: 'ed25519';
  readonly raw: Uint8Array;
  export(options: { format: 'der'; type: 'spki' }): Buffer;
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export function hash(
  algorithm: string,
  data: string | Uint8Array,
  encoding: 'hex' | 'buffer' = 'hex',
): string | Buffer {
  requireSha256(algorithm);
  const digest = Buffer.from(sha256(typeof data === 'string' ? Buffer.from(data, 'utf8') : data));
  return encoding === 'hex' ? digest.toString('hex') : digest;
}

export function createHash(algorithm: string) {
  requireSha256(algorithm);
  const state = sha256.create();
  const self = {
    update(data: Uint8Array) {
      state.update(data);
      return self;
    },
    digest: (encoding: 'hex') => Buffer.from(state.digest()).toString(encoding),
  };
  return self;
}

export function createPublicKey({ key }: { key: Uint8Array }): KeyObject {
  const raw = Uint8Array.from(key.subarray(SPKI_PREFIX.length));
  return {
    asymmetricKeyType: 'ed25519',
    raw,
    export: () => Buffer.concat([SPKI_PREFIX, raw]),
  };
}

export function verify(_algorithm: null, data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  try {
    return ed25519.verify(Uint8Array.from(signature), Uint8Array.from(data), key.raw, { zip215: false });
  } catch {
    // A key or a point that is none.
    return false;
  }
}

const nothingSigns = (): never => {
  throw new Error('a verifier has no secret keys');
};
export const sign = nothingSigns;
export const createPrivateKey = nothingSigns;

function requireSha256(algorithm: string): void {
  if (algorithm !== 'sha256') throw new Error(`no ${algorithm} here`);
}
