import * as nodeCrypto from 'node:crypto';
import { childrenOf, DerError, type DerValue, readOid, TAG } from './der.ts';

const SHA2: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};
const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';
/** Signature algorithms: the key they need and their digest. RSASSA-PSS and everything with SHA-1 are not among them. */
const SIGNATURES: Readonly<Record<string, { readonly key: string; readonly digest: string | null }>> = {
  '1.2.840.113549.1.1.11': { key: 'rsa', digest: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', digest: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', digest: 'sha512' },
  '1.2.840.10045.4.3.2': { key: 'ec', digest: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', digest: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', digest: 'sha512' },
  '1.3.101.112': { key: 'ed25519', digest: null },
};
const RSA_BITS_MIN = 2048;

/** Digest of an AlgorithmIdentifier: SHA-256, -384 or -512. Throws a DerError for every other. */
export function digestOf(algorithm: DerValue): string {
  const oid = readOid(childrenOf(algorithm, TAG.sequence)[0]);
  const digest = SHA2[oid];
  if (digest === undefined) throw new DerError(`digest algorithm ${oid} does not count here`);
  return digest;
}

/**
 * Whether the key signed the message. `digest` is that of the signer where the algorithm leaves it open (CMS with
 * rsaEncryption). Throws a DerError for algorithms and keys that do not count.
 */
export function isSignedBy(
  publicKeyInfo: Buffer,
  algorithm: DerValue,
  digest: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const oid = readOid(childrenOf(algorithm, TAG.sequence)[0]);
  const wanted = oid === RSA_ENCRYPTION ? { key: 'rsa', digest } : SIGNATURES[oid];
  if (wanted === undefined) throw new DerError(`signature algorithm ${oid} does not count here`);
  let key: nodeCrypto.KeyObject;
  try {
    key = nodeCrypto.createPublicKey({ key: publicKeyInfo, format: 'der', type: 'spki' });
  } catch {
    throw new DerError('a certificate holds no public key');
  }
  // Two authorities of one name may have keys of two kinds.
  if (key.asymmetricKeyType !== wanted.key) return false;
  if (wanted.key === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN)
    throw new DerError('an RSA key is too short');
  return nodeCrypto.verify(wanted.digest, message, key, signature);
}
