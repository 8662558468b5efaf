import { sign, verify } from 'node:crypto';
import { fromBase64 } from './note/base64.ts';
import type { SigningKey, VerifierKey } from './note/key.ts';

/**
 * A DSSE v1 envelope (secure-systems-lab/dsse): bytes, what they are, and who signed them. What it says counts only after
 * `envelopeVerifiedBy` has found a signature of a trusted key.
 */
export interface DsseEnvelope {
  readonly payloadType: string;
  /** The exact bytes that were signed: they are never written anew. */
  readonly payload: Uint8Array;
  readonly signatures: readonly DsseSignature[];
}

export interface DsseSignature {
  /** A hint that nothing vouches for. Ours are `<name>+<key id>` of the C2SP verifier key. */
  readonly keyid?: string;
  readonly sig: Uint8Array;
}

/** Payload type of in-toto statements. */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** Why text is no envelope. */
export class DsseFormatError extends Error {
  constructor(reason: string) {
    super(`cannot read envelope: ${reason}`);
    this.name = 'DsseFormatError';
  }
}

const MAX_BYTES = 1024 * 1024;
const MAX_SIGNATURES = 16;
const MAX_KEYID_CHARS = 512;
const MAX_PAYLOAD_TYPE_CHARS = 256;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What is signed: type and payload with their lengths in bytes before them (pre-authentication encoding). */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  const head = Buffer.from(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `, 'utf8');
  return Buffer.concat([head, payload]);
}

/** The `keyid` that our envelopes carry for a key. */
export const keyidOf = ({ name, keyId }: VerifierKey): string => `${name}+${keyId}`;

/** Signs the payload with each key, Ed25519 over the pre-authentication encoding. */
export function signEnvelope(
  payloadType: string,
  payload: Uint8Array,
  keys: readonly SigningKey[],
): DsseEnvelope {
  const message = preAuthEncoding(payloadType, payload);
  const signatures = keys.map((key) => ({ keyid: keyidOf(key), sig: sign(null, message, key.privateKey) }));
  return { payloadType, payload, signatures };
}

/** The envelope as one line of JSON with its keys in order, without a line end. */
export function formatEnvelope({ payloadType, payload, signatures }: DsseEnvelope): string {
  return JSON.stringify({
    payload: base64(payload),
    payloadType,
    signatures: signatures.map(({ keyid, sig }) => ({
      ...(keyid === undefined ? {} : { keyid }),
      sig: base64(sig),
    })),
  });
}

/**
 * Reads attacker-controlled bytes. Members that DSSE does not define are passed over: nothing that an envelope says of its
 * own keys is ever used. Throws a DsseFormatError.
 */
export function parseEnvelope(bytes: Uint8Array | string): DsseEnvelope {
  const length = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
  if (length > MAX_BYTES) throw new DsseFormatError('it is too large');
  const { payloadType, payload, signatures } = record(parseJson(bytes), 'it');
  if (typeof payloadType !== 'string' || payloadType === '' || payloadType.length > MAX_PAYLOAD_TYPE_CHARS)
    throw new DsseFormatError('it names no payload type');
  if (!Array.isArray(signatures) || signatures.length === 0)
    throw new DsseFormatError('it has no signatures');
  if (signatures.length > MAX_SIGNATURES) throw new DsseFormatError('it has too many signatures');
  return {
    payloadType,
    payload: bytesOf(payload, 'the payload'),
    signatures: signatures.map(parseSignature),
  };
}

/**
 * The trusted keys that signed the envelope. Each signature is tried with every trusted key, whatever its `keyid` says.
 * `bad`: a trusted key that a `keyid` names and whose signature does not verify; for a reason to tell, not for a decision
 * while another signature counts.
 */
export function envelopeVerifiedBy(
  { payloadType, payload, signatures }: DsseEnvelope,
  trusted: readonly VerifierKey[],
): { readonly by: readonly VerifierKey[]; readonly bad: VerifierKey | undefined } {
  const message = preAuthEncoding(payloadType, payload);
  const by: VerifierKey[] = [];
  let bad: VerifierKey | undefined;
  for (const { keyid, sig } of signatures) {
    const named = trusted.find((key) => keyidOf(key) === keyid);
    const signer = (named === undefined ? trusted : [named, ...trusted]).find((key) =>
      verify(null, message, key.publicKey, sig),
    );
    if (signer === undefined) bad ??= named;
    else if (!by.includes(signer)) by.push(signer);
  }
  return { by, bad };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

function parseJson(bytes: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof bytes === 'string' ? bytes : strictUtf8.decode(bytes)) as unknown;
  } catch {
    throw new DsseFormatError('it is not JSON');
  }
}

function parseSignature(value: unknown): DsseSignature {
  const { keyid, sig } = record(value, 'a signature');
  const bytes = bytesOf(sig, 'a signature');
  if (keyid === undefined) return { sig: bytes };
  if (typeof keyid !== 'string' || keyid.length > MAX_KEYID_CHARS)
    throw new DsseFormatError('a key id is no text');
  return { keyid, sig: bytes };
}

function record(
  value: unknown,
  what: string,
): Record<'payloadType' | 'payload' | 'signatures' | 'keyid' | 'sig', unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DsseFormatError(`${what} is no object`);
  return value as Record<'payloadType' | 'payload' | 'signatures' | 'keyid' | 'sig', unknown>;
}

/** DSSE allows both alphabets of base64; either way padded and canonical, so that one value has two texts at most. */
function bytesOf(value: unknown, what: string): Buffer {
  const text = typeof value === 'string' ? value : undefined;
  const standard =
    text === undefined || /[+/]/.test(text) ? text : text.replaceAll('-', '+').replaceAll('_', '/');
  const bytes = standard === undefined ? undefined : fromBase64(standard);
  if (bytes === undefined) throw new DsseFormatError(`${what} is not base64`);
  return bytes;
}
