import type { Certificate } from './certificate.ts';
import { childrenOf, expectTag, fieldsOf, readDer, readInteger, readOid, TAG } from './der.ts';
import { isSignedBy } from './signature-algorithm.ts';

const OID = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  anyExtendedKeyUsage: '2.5.29.37.0',
} as const;
/** Critical extensions that are looked at; with another one a certificate does not count (RFC 5280 §4.2). */
const UNDERSTOOD: ReadonlySet<string> = new Set([OID.keyUsage, OID.basicConstraints, OID.extendedKeyUsage]);
const KEY_USAGE = { digitalSignature: 0x80, nonRepudiation: 0x40, certificateSign: 0x04 } as const;
const CHAIN_MAX = 8;
const SIGNATURE_CHECKS_MAX = 64;

/**
 * Why the certificate may not sign timestamps at this time in the eyes of whoever trusts the pinned ones; `undefined`
 * when it may (RFC 5280 §6, RFC 3161 §2.3). Pinned may be the signer itself, or authorities above it. Nobody is asked
 * about revocation.
 */
export function whyNoTimestampSigner(
  signer: Certificate,
  known: readonly Certificate[],
  pinned: readonly Certificate[],
  timeMs: number,
): string | undefined {
  const usage = signer.extensions.get(OID.extendedKeyUsage);
  const purposes = usage === undefined ? [] : childrenOf(readDer(usage.value), TAG.sequence).map(readOid);
  if (usage?.isCritical !== true || purposes.length !== 1 || purposes[0] !== OID.timeStamping)
    return 'the signing certificate is not one for timestamps alone';
  if (!hasKeyUsage(signer, KEY_USAGE.digitalSignature | KEY_USAGE.nonRepudiation))
    return 'the signing certificate may not sign';
  const fault = faultOf(signer, timeMs);
  if (fault !== undefined) return fault;

  let checksLeft = SIGNATURE_CHECKS_MAX;
  let nearest: string | undefined;
  const leadsToPinned = (certificate: Certificate, authoritiesBelow: number): boolean => {
    if (pinned.some(({ whole }) => whole.equals(certificate.whole))) return true;
    if (authoritiesBelow === CHAIN_MAX) return false;
    return [...pinned, ...known].some((issuer) => {
      if (!issuer.subject.equals(certificate.issuer) || checksLeft === 0) return false;
      checksLeft -= 1;
      const { publicKeyInfo } = issuer;
      if (
        !isSignedBy(publicKeyInfo, certificate.algorithm, 'none', certificate.signed, certificate.signature)
      )
        return false;
      const reason = faultOf(issuer, timeMs) ?? whyNoAuthority(issuer, authoritiesBelow);
      nearest ??= reason;
      return reason === undefined && leadsToPinned(issuer, authoritiesBelow + 1);
    });
  };
  return leadsToPinned(signer, 0)
    ? undefined
    : (nearest ?? 'the signing certificate does not lead to a pinned one');
}

function faultOf({ notBeforeMs, notAfterMs, extensions }: Certificate, timeMs: number): string | undefined {
  if (timeMs < notBeforeMs || timeMs > notAfterMs) return 'a certificate was not valid at the time stamped';
  const strange = [...extensions].find(([oid, { isCritical }]) => isCritical && !UNDERSTOOD.has(oid));
  return strange === undefined ? undefined : `a certificate has the critical extension ${strange[0]}`;
}

/** `authoritiesBelow`: how many authorities are between it and the signer. */
function whyNoAuthority(certificate: Certificate, authoritiesBelow: number): string | undefined {
  const constraints = certificate.extensions.get(OID.basicConstraints);
  const fields = fieldsOf(
    constraints === undefined ? [] : childrenOf(readDer(constraints.value), TAG.sequence),
  );
  if (fields.takeIf(TAG.boolean)?.content[0] !== 0xff || !hasKeyUsage(certificate, KEY_USAGE.certificateSign))
    return 'an issuer is no certificate authority';
  const longest = fields.takeIf(TAG.integer);
  if (longest !== undefined && readInteger(longest) < BigInt(authoritiesBelow))
    return 'an authority may not issue so long a chain';
  const usage = certificate.extensions.get(OID.extendedKeyUsage);
  if (usage === undefined) return undefined;
  const purposes = childrenOf(readDer(usage.value), TAG.sequence).map(readOid);
  return purposes.includes(OID.timeStamping) || purposes.includes(OID.anyExtendedKeyUsage)
    ? undefined
    : 'an authority may not issue certificates for timestamps';
}

/** Whether one of these uses is allowed; without the extension all are. */
function hasKeyUsage({ extensions }: Certificate, bits: number): boolean {
  const usage = extensions.get(OID.keyUsage);
  if (usage === undefined) return true;
  // The first octet counts unused bits, the second holds all uses that are asked for here.
  return ((expectTag(readDer(usage.value), TAG.bitString).content[1] ?? 0) & bits) !== 0;
}
