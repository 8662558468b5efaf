import { type Certificate, readCertificateSet } from './certificate.ts';
import {
  childrenOf,
  contextTag,
  DerError,
  type DerValue,
  fieldsOf,
  readDer,
  readInteger,
  readOid,
  readTime,
  TAG,
} from './der.ts';
import { digestOf } from './signature-algorithm.ts';

/** What an RFC 3161 token says and carries, before anything of it is believed. */
export interface TimestampToken {
  /** The token itself, without the response it may have come in. */
  readonly der: Buffer;
  /** Digest algorithm and digest of what was stamped. */
  readonly imprint: { readonly digest: string; readonly hash: Buffer };
  readonly timeMs: number;
  readonly nonce: bigint | undefined;
  /** TSTInfo as it came: what the signed attributes have the digest of. */
  readonly content: Buffer;
  readonly certificates: readonly Certificate[];
  readonly signer: {
    readonly id: DerValue;
    readonly digest: string;
    /** As they are signed: a SET, by attribute type. */
    readonly signedAttributes: Buffer;
    readonly attributes: ReadonlyMap<string, DerValue>;
    readonly algorithm: DerValue;
    readonly signature: Buffer;
  };
}

const OID = { signedData: '1.2.840.113549.1.7.2', tstInfo: '1.2.840.113549.1.9.16.1.4' } as const;
const TOKEN_MAX_BYTES = 64 * 1024;

/**
 * Reads a TimeStampToken, or the token of a TimeStampResp (RFC 3161 §2.4.2, RFC 5652 §5). Reads attacker-controlled
 * bytes; throws a DerError.
 */
export function readTimestampToken(bytes: Uint8Array): TimestampToken {
  if (bytes.length > TOKEN_MAX_BYTES) throw new DerError('the token is too large');
  const outer = readDer(bytes, TAG.sequence);
  const [first, second] = childrenOf(outer, TAG.sequence);
  const der = first?.tag === TAG.sequence ? second : outer;
  const info = fieldsOf(childrenOf(der, TAG.sequence));
  if (readOid(info.take(TAG.oid)) !== OID.signedData) throw new DerError('the token is no signed data');
  const data = fieldsOf(childrenOf(readDer(info.take(contextTag(0)).content), TAG.sequence));
  info.end();
  data.take(TAG.integer);
  data.take(TAG.set);
  const content = readContent(data.take(TAG.sequence));
  const certificates = data.takeIf(contextTag(0));
  data.takeIf(contextTag(1));
  const [signer, ...others] = childrenOf(data.take(TAG.set), TAG.set);
  data.end();
  if (others.length > 0) throw new DerError('the token has more than one signer');
  return {
    der: der?.whole ?? outer.whole,
    ...readInfo(content),
    content,
    certificates: certificates === undefined ? [] : readCertificateSet(certificates.content),
    signer: readSigner(signer),
  };
}

function readContent(encapsulated: DerValue): Buffer {
  const fields = fieldsOf(childrenOf(encapsulated, TAG.sequence));
  if (readOid(fields.take(TAG.oid)) !== OID.tstInfo)
    throw new DerError('the token does not hold a timestamp');
  return readDer(fields.take(contextTag(0)).content, TAG.octetString).content;
}

/** version · policy · imprint · serial · time · [accuracy] · [ordering] · [nonce] · [0 tsa] · [1 extensions] */
function readInfo(content: Buffer): Pick<TimestampToken, 'imprint' | 'timeMs' | 'nonce'> {
  const fields = fieldsOf(childrenOf(readDer(content), TAG.sequence));
  if (readInteger(fields.take(TAG.integer)) !== 1n) throw new DerError('the timestamp has another version');
  fields.take(TAG.oid);
  const imprint = fieldsOf(childrenOf(fields.take(TAG.sequence), TAG.sequence));
  const digest = digestOf(imprint.take(TAG.sequence));
  const hash = imprint.take(TAG.octetString).content;
  imprint.end();
  fields.take(TAG.integer);
  const timeMs = readTime(fields.take(TAG.generalizedTime));
  fields.takeIf(TAG.sequence);
  fields.takeIf(TAG.boolean);
  const nonce = fields.takeIf(TAG.integer);
  fields.takeIf(contextTag(0));
  fields.takeIf(contextTag(1));
  fields.end();
  return { imprint: { digest, hash }, timeMs, nonce: nonce === undefined ? undefined : readInteger(nonce) };
}

/** version · who · digest · [0 signed attributes] · algorithm · signature · [1 unsigned attributes] */
function readSigner(signer: DerValue | undefined): TimestampToken['signer'] {
  const fields = fieldsOf(childrenOf(signer, TAG.sequence));
  fields.take(TAG.integer);
  const id = fields.takeIf(TAG.sequence) ?? fields.take(contextTag(0, false));
  const digest = digestOf(fields.take(TAG.sequence));
  const signed = fields.take(contextTag(0));
  const algorithm = fields.take(TAG.sequence);
  const signature = fields.take(TAG.octetString).content;
  fields.takeIf(contextTag(1));
  fields.end();
  const signedAttributes = Buffer.from(signed.whole);
  signedAttributes[0] = TAG.set;
  const attributes = new Map<string, DerValue>();
  for (const attribute of childrenOf(readDer(signedAttributes), TAG.set)) {
    const [type, values] = childrenOf(attribute, TAG.sequence);
    const [value, ...more] = childrenOf(values, TAG.set);
    const oid = readOid(type);
    if (value === undefined || more.length > 0 || attributes.has(oid))
      throw new DerError('a signed attribute has not one value');
    attributes.set(oid, value);
  }
  return { id, digest, signedAttributes, attributes, algorithm, signature };
}
