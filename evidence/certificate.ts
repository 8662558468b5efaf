import {
  childrenOf,
  contextTag,
  DerError,
  type DerValue,
  fieldsOf,
  readBits,
  readDer,
  readOid,
  readTime,
  readValues,
  TAG,
} from './der.ts';
import { fromBase64 } from './note/base64.ts';

/** An X.509 certificate (RFC 5280), as much of it as a chain of timestamp authorities is judged by. */
export interface Certificate {
  readonly whole: Buffer;
  /** What the issuer signed. */
  readonly signed: Buffer;
  readonly algorithm: DerValue;
  readonly signature: Buffer;
  /** The serial number's content octets. */
  readonly serial: Buffer;
  /** Distinguished names in DER: compared byte for byte. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKeyInfo: Buffer;
  readonly extensions: ReadonlyMap<string, { readonly isCritical: boolean; readonly value: Buffer }>;
}

const SUBJECT_KEY_ID = '2.5.29.14';
const CERTIFICATES_MAX = 32;

/** Throws a DerError. Reads attacker-controlled bytes. */
export function readCertificate(der: DerValue): Certificate {
  const outer = fieldsOf(childrenOf(der, TAG.sequence));
  const signed = outer.take(TAG.sequence);
  const algorithm = outer.take(TAG.sequence);
  const signature = readBits(outer.take(TAG.bitString));
  outer.end();
  const fields = fieldsOf(childrenOf(signed, TAG.sequence));
  fields.takeIf(contextTag(0));
  const serial = fields.take(TAG.integer).content;
  const inner = fields.take(TAG.sequence);
  if (!inner.whole.equals(algorithm.whole))
    throw new DerError('a certificate names two signature algorithms');
  const issuer = fields.take(TAG.sequence).whole;
  const [notBefore, notAfter] = childrenOf(fields.take(TAG.sequence), TAG.sequence);
  const subject = fields.take(TAG.sequence).whole;
  const publicKeyInfo = fields.take(TAG.sequence).whole;
  fields.takeIf(contextTag(1, false));
  fields.takeIf(contextTag(2, false));
  const extensions = fields.takeIf(contextTag(3));
  fields.end();
  return {
    whole: der.whole,
    signed: signed.whole,
    algorithm,
    signature,
    serial,
    issuer,
    subject,
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    publicKeyInfo,
    extensions: readExtensions(extensions),
  };
}

function readExtensions(wrapper: DerValue | undefined): Certificate['extensions'] {
  const extensions = new Map<string, { isCritical: boolean; value: Buffer }>();
  if (wrapper === undefined) return extensions;
  for (const extension of childrenOf(readDer(wrapper.content), TAG.sequence)) {
    const fields = fieldsOf(childrenOf(extension, TAG.sequence));
    const oid = readOid(fields.take(TAG.oid));
    const isCritical = fields.takeIf(TAG.boolean)?.content[0] === 0xff;
    if (extensions.has(oid)) throw new DerError('a certificate has an extension twice');
    extensions.set(oid, { isCritical, value: fields.take(TAG.octetString).content });
    fields.end();
  }
  return extensions;
}

/** All certificates of a PEM text. Throws a DerError when there is none, or one that is none. */
export function readPemCertificates(pem: string): Certificate[] {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g)];
  if (blocks.length === 0) throw new DerError('there is no certificate in the PEM text');
  if (blocks.length > CERTIFICATES_MAX) throw new DerError('there are too many certificates');
  return blocks.map(([, text = '']) => {
    const der = fromBase64(text.replace(/\s+/g, ''));
    if (der === undefined) throw new DerError('a certificate is not base64');
    return readCertificate(readDer(der));
  });
}

/** Certificates of a SignedData's certificate set; kinds other than X.509 are passed over. */
export function readCertificateSet(content: Uint8Array): Certificate[] {
  const values = readValues(content).filter(({ tag }) => tag === TAG.sequence);
  if (values.length > CERTIFICATES_MAX) throw new DerError('there are too many certificates');
  return values.map(readCertificate);
}

export const subjectKeyIdOf = ({ extensions }: Certificate): Buffer | undefined => {
  const extension = extensions.get(SUBJECT_KEY_ID);
  return extension === undefined ? undefined : readDer(extension.value, TAG.octetString).content;
};
