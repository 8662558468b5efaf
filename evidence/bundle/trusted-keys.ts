import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { anchorOrigin } from '../anchor-log/entry.ts';
import { formatVerifierKey, type KeyUse, parseVerifierKey, type VerifierKey } from '../note/key.ts';

/** A key of the notary and the sizes of the anchor log for which its checkpoints count. */
export interface NotaryKey {
  readonly key: VerifierKey;
  readonly fromSize: bigint;
  /** First size for which it no longer counts. */
  readonly untilSize: bigint | undefined;
  /** From this size on it counts only where pinned witnesses have cosigned. */
  readonly compromisedSinceSize: bigint | undefined;
}

/** The keys of a trust policy, ready for use. */
export interface TrustedKeys {
  readonly deployment: string;
  readonly notary: readonly NotaryKey[];
  readonly witnesses: { readonly quorum: number; readonly keys: readonly VerifierKey[] } | undefined;
  readonly authorities: readonly { readonly name: string; readonly certificatesPem: string }[];
  readonly bundleKeys: readonly VerifierKey[];
}

/** Throws a RangeError for a policy whose keys are none, have another use, or another name than the deployment's. */
export function trustedKeys(policy: TrustPolicy): TrustedKeys {
  const origin = anchorOrigin(policy.deployment);
  return {
    deployment: policy.deployment,
    notary: policy.notary.map((pin) => {
      const key = keyOf(pin.verifier_key, 'log');
      if (key.name !== origin)
        throw new RangeError(`a key of the notary has the name ${origin}, not ${key.name}`);
      return {
        key,
        fromSize: BigInt(pin.from_size ?? 0),
        untilSize: sizeOf(pin.until_size),
        compromisedSinceSize: sizeOf(pin.compromised_since_size),
      };
    }),
    witnesses:
      policy.witnesses === undefined
        ? undefined
        : {
            quorum: policy.witnesses.quorum,
            keys: distinct(policy.witnesses.keys.map((text) => keyOf(text, 'witness'))),
          },
    authorities: (policy.timestamp_authorities ?? []).map(({ name, certificates_pem }) => ({
      name,
      certificatesPem: certificates_pem,
    })),
    bundleKeys: (policy.bundle_keys ?? []).map((text) => keyOf(text, 'log')),
  };
}

export const isSameKey = (a: VerifierKey, b: VerifierKey): boolean =>
  formatVerifierKey(a) === formatVerifierKey(b);

const sizeOf = (size: string | undefined): bigint | undefined =>
  size === undefined ? undefined : BigInt(size);

function keyOf(text: string, use: KeyUse): VerifierKey {
  const key = parseVerifierKey(text);
  if (key.use !== use) throw new RangeError(`the key of ${key.name} is a ${key.use} key, not a ${use} key`);
  return key;
}

/** One key listed twice is one witness. */
function distinct(keys: readonly VerifierKey[]): VerifierKey[] {
  const raw = keys.map((key) => key.publicKey.export({ format: 'der', type: 'spki' }).toString('hex'));
  if (new Set(raw).size !== raw.length) throw new RangeError('a witness is listed twice');
  return [...keys];
}
