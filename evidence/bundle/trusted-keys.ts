import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import type { NotaryKey } from '../anchor-log/notary-keys.ts';
import { keyOfUse, pinnedTrust } from '../anchor-log/pinned-keys.ts';
import type { WitnessQuorum } from '../anchor-log/witness-quorum.ts';
import type { VerifierKey } from '../note/key.ts';

/** The keys of a trust policy, ready for use. */
export interface TrustedKeys {
  readonly deployment: string;
  readonly notary: readonly NotaryKey[];
  readonly witnesses: WitnessQuorum | undefined;
  readonly authorities: readonly { readonly name: string; readonly certificatesPem: string }[];
  readonly bundleKeys: readonly VerifierKey[];
}

/** Throws a RangeError for a policy whose keys are none, have another use, or another name than the deployment's. */
export function trustedKeys(policy: TrustPolicy): TrustedKeys {
  const { keys, witnesses } = pinnedTrust(policy);
  return {
    deployment: policy.deployment,
    notary: keys,
    witnesses,
    authorities: (policy.timestamp_authorities ?? []).map(({ name, certificates_pem }) => ({
      name,
      certificatesPem: certificates_pem,
    })),
    bundleKeys: (policy.bundle_keys ?? []).map((text) => keyOfUse(text, 'log')),
  };
}
