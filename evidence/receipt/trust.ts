import type { Assurance } from '../../schemas/receipt.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { NO_TRUST, pinnedTrust, type PinnedTrust } from '../anchor-log/pinned-keys.ts';
import { parseVerifierKey, type VerifierKey } from '../note/key.ts';

/** A key that signs receipts, known from outside of them. */
export interface PinnedIssuer {
  readonly issuer: string;
  readonly key: VerifierKey;
  readonly assurance: Assurance;
}

/** What a verifier of receipts knows beforehand. */
export interface ReceiptTrust {
  readonly issuers: readonly PinnedIssuer[];
  readonly notary: PinnedTrust;
}

/** Nothing is known: no receipt is ever valid. */
export const NO_RECEIPT_TRUST: ReceiptTrust = { issuers: [], notary: NO_TRUST };

/** Throws a RangeError for a key that is none. */
export function receiptTrust(policy: TrustPolicy): ReceiptTrust {
  const issuers = (policy.receipt_issuers ?? []).map(({ issuer, verifier_key, assurance }) => ({
    issuer,
    key: parseVerifierKey(verifier_key),
    assurance,
  }));
  return { issuers, notary: pinnedTrust(policy) };
}
