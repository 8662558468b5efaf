import { envelopeVerifiedBy, type DsseEnvelope } from '../../evidence/dsse.ts';
import { parseVerifierKey, type VerifierKey } from '../../evidence/note/key.ts';
import { ConfigError } from '../../runtime/errors.ts';
import type { IngestConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';

/** A gateway whose signature counts. */
export interface KnownIssuer {
  readonly issuer: string;
  readonly key: VerifierKey;
}

export type SignatureFact = NonNullable<CustodyEvent['receipt']>['signature'];

/** @throws ConfigError for a key that is none. */
export function knownIssuers(configured: IngestConfig['receipt_issuers']): KnownIssuer[] {
  return configured.map(({ issuer, verifier_key }, index) => {
    const path = `ingest.receipt_issuers.${index}.verifier_key`;
    try {
      const key = parseVerifierKey(verifier_key);
      if (key.use === 'log') return { issuer, key };
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new ConfigError(`cannot use ${path}: ${cause.message}`, { path, cause });
    }
    throw new ConfigError(`cannot use ${path}: it is the key of a witness`, { path });
  });
}

/** What the signature is worth: a key vouches for its own issuer alone. */
export function signatureFact(
  envelope: DsseEnvelope,
  issuer: string,
  known: readonly KnownIssuer[],
): SignatureFact {
  if (known.length === 0) return 'not_checked';
  const { by, bad } = envelopeVerifiedBy(
    envelope,
    known.map(({ key }) => key),
  );
  if (known.some((pinned) => pinned.issuer === issuer && by.includes(pinned.key))) return 'verified';
  return by.length > 0 || bad !== undefined ? 'bad' : 'unknown_key';
}
