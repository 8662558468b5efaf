import * as nodeCrypto from 'node:crypto';
import { type Certificate, readPemCertificates, subjectKeyIdOf } from './certificate.ts';
import { whyNoTimestampSigner } from './certificate-chain.ts';
import {
  childrenOf,
  contextTag,
  DerError,
  expectTag,
  readDer,
  readInteger,
  readOid,
  TAG,
  writeDer,
  writeInteger,
} from './der.ts';
import { digestOf, isSignedBy } from './signature-algorithm.ts';
import { readTimestampToken, type TimestampToken } from './timestamp-token.ts';

/** When the message was there already, by the word of a pinned authority; or why the token does not say so. */
export type TimestampVerdict = { readonly timeMs: number } | { readonly reason: string };

/** The reason where the program has no RSA and ECDSA, as in a browser: nothing was checked, so nothing counts. */
export const TIMESTAMPS_UNSUPPORTED = 'unsupported here';

const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const SHA256_IDENTIFIER = writeDer(
  TAG.sequence,
  writeDer(TAG.oid, Buffer.from('608648016503040201', 'hex')),
  writeDer(TAG.null),
);

/**
 * Verifies an RFC 3161 token, or the response it came in, over the message: imprint, signature, and that the signer's
 * certificate leads to a pinned one and every certificate on the way was valid at the time stamped. Certificates in the
 * token lead, they do not count. Revocation is not looked at. Reads attacker-controlled bytes; does not throw for them.
 */
export function verifyTimestamp(
  token: Uint8Array,
  message: Uint8Array,
  certificatesPem: string,
): TimestampVerdict {
  // What stands in for node:crypto in a browser has hash and Ed25519 and would give other answers than Node.
  if ((nodeCrypto as Partial<typeof nodeCrypto>).constants === undefined)
    return { reason: TIMESTAMPS_UNSUPPORTED };
  try {
    const pinned = readPemCertificates(certificatesPem);
    const read = readTimestampToken(token);
    const reason = whyNotOver(read, message) ?? whyNotSigned(read, pinned);
    return reason === undefined ? { timeMs: read.timeMs } : { reason };
  } catch (error) {
    if (error instanceof DerError) return { reason: error.message };
    throw error;
  }
}

/** Why the token is not one over the message; `undefined` when it is. */
export function whyNotOver({ imprint }: TimestampToken, message: Uint8Array): string | undefined {
  return nodeCrypto.hash(imprint.digest, message, 'buffer').equals(imprint.hash)
    ? undefined
    : 'the token is over something else';
}

function whyNotSigned(token: TimestampToken, pinned: readonly Certificate[]): string | undefined {
  const { signer, content, certificates, timeMs } = token;
  const contentType = signer.attributes.get(ATTRIBUTE.contentType);
  const messageDigest = signer.attributes.get(ATTRIBUTE.messageDigest);
  if (contentType === undefined || readOid(contentType) !== TST_INFO)
    return 'what is signed is not said to be a timestamp';
  if (
    !expectTag(messageDigest, TAG.octetString).content.equals(
      nodeCrypto.hash(signer.digest, content, 'buffer'),
    )
  )
    return 'the signature is over another timestamp';
  const certificate = [...certificates, ...pinned].find((each) => isSigner(token, each));
  if (certificate === undefined) return 'the certificate of the signer is missing';
  const { publicKeyInfo } = certificate;
  if (!isSignedBy(publicKeyInfo, signer.algorithm, signer.digest, signer.signedAttributes, signer.signature))
    return 'the signature does not verify';
  return whyNoTimestampSigner(certificate, certificates, pinned, timeMs);
}

/** Named by issuer and serial or by key id, and by the digest among the signed attributes (RFC 5035, RFC 5816). */
function isSigner({ signer }: TimestampToken, certificate: Certificate): boolean {
  if (signer.id.tag === contextTag(0, false)) {
    if (subjectKeyIdOf(certificate)?.equals(signer.id.content) !== true) return false;
  } else {
    const [issuer, serial] = childrenOf(signer.id, TAG.sequence);
    if (issuer?.whole.equals(certificate.issuer) !== true) return false;
    if (!expectTag(serial, TAG.integer).content.equals(certificate.serial)) return false;
  }
  const v2 = signer.attributes.get(ATTRIBUTE.signingCertificateV2);
  const named = v2 ?? signer.attributes.get(ATTRIBUTE.signingCertificate);
  const [first] = childrenOf(childrenOf(named, TAG.sequence)[0], TAG.sequence);
  const [head, next] = childrenOf(first, TAG.sequence);
  const isOtherDigest = v2 !== undefined && head?.tag === TAG.sequence;
  const digest = v2 === undefined ? 'sha1' : head?.tag === TAG.sequence ? digestOf(head) : 'sha256';
  const expected = expectTag(isOtherDigest ? next : head, TAG.octetString).content;
  return nodeCrypto.hash(digest, certificate.whole, 'buffer').equals(expected);
}

/** A request (RFC 3161 §2.4.1) for a token over the message by its SHA-256, with the authority's certificate. */
export function timestampRequest(message: Uint8Array, nonce: Uint8Array): Uint8Array {
  const imprint = nodeCrypto.hash('sha256', message, 'buffer');
  return writeDer(
    TAG.sequence,
    writeInteger(Buffer.from([1])),
    writeDer(TAG.sequence, SHA256_IDENTIFIER, writeDer(TAG.octetString, imprint)),
    writeInteger(nonce),
    writeDer(TAG.boolean, Buffer.from([0xff])),
  );
}

export type TimestampResponse =
  | { readonly token: TimestampToken }
  /** PKIStatus and the bits of PKIFailureInfo; `isPassing`: the authority may do it later. */
  | { readonly refused: string; readonly isPassing: boolean };

const GRANTED: ReadonlySet<bigint> = new Set([0n, 1n]);
const WAITING = 3n;
const FAILURES: Readonly<Record<number, string>> = {
  0: 'badAlg',
  2: 'badRequest',
  5: 'badDataFormat',
  14: 'timeNotAvailable',
  15: 'unacceptedPolicy',
  16: 'unacceptedExtension',
  17: 'addInfoNotAvailable',
  25: 'systemFailure',
};
const PASSING: ReadonlySet<string> = new Set(['timeNotAvailable', 'systemFailure']);

/** Reads what an authority answered (RFC 3161 §2.4.2). Reads attacker-controlled bytes; throws a DerError. */
export function readTimestampResponse(bytes: Uint8Array): TimestampResponse {
  const [info] = childrenOf(readDer(bytes), TAG.sequence);
  const fields = childrenOf(info, TAG.sequence);
  const status = readInteger(fields[0]);
  if (GRANTED.has(status)) return { token: readTimestampToken(bytes) };
  const bits = fields.find(({ tag }) => tag === TAG.bitString)?.content.subarray(1) ?? Buffer.of();
  const failures = Object.entries(FAILURES)
    .filter(([bit]) => ((bits[Number(bit) >> 3] ?? 0) & (0x80 >> (Number(bit) & 7))) !== 0)
    .map(([, name]) => name);
  return {
    refused: [`status ${status}`, ...failures].join(', '),
    isPassing: status === WAITING || failures.some((name) => PASSING.has(name)),
  };
}
