import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { parseVerifierKey, type VerifierKey } from '../note/key.ts';

/** A notary key known from outside of what is verified, and the tree sizes of the anchor log it counts for. */
export interface PinnedKey {
  readonly key: VerifierKey;
  readonly fromSize: bigint;
  /** Exclusive. */
  readonly untilSize: bigint | undefined;
  /** From here on it counts only where an anchor holds the checkpoint, or one after it. */
  readonly compromisedSince: bigint | undefined;
}

export interface WitnessQuorum {
  readonly quorum: number;
  readonly keys: readonly VerifierKey[];
}

/** What a verifier knows beforehand. */
export interface PinnedTrust {
  readonly keys: readonly PinnedKey[];
  readonly witnesses: WitnessQuorum | undefined;
  /** `pinned`: a policy from outside; `local`: the deployment's own key; `none`: only what the log says of itself. */
  readonly source: 'pinned' | 'local' | 'none';
}

export const NO_TRUST: PinnedTrust = { keys: [], witnesses: undefined, source: 'none' };

/** Throws a RangeError for a key that is none. */
export function pinnedTrust(policy: TrustPolicy): PinnedTrust {
  const keys = policy.notary.map((pin) => ({
    key: parseVerifierKey(pin.verifier_key),
    fromSize: BigInt(pin.from_size ?? 0),
    untilSize: pin.until_size === undefined ? undefined : BigInt(pin.until_size),
    compromisedSince:
      pin.compromised_since_size === undefined ? undefined : BigInt(pin.compromised_since_size),
  }));
  const witnesses = policy.witnesses && {
    quorum: policy.witnesses.quorum,
    keys: policy.witnesses.keys.map(parseVerifierKey),
  };
  return { keys, witnesses, source: 'pinned' };
}

/** Trust in the key that the deployment has of itself. Throws a RangeError for text that is no key. */
export function localTrust(verifierKey: string): PinnedTrust {
  const key = parseVerifierKey(verifierKey);
  return {
    keys: [{ key, fromSize: 0n, untilSize: undefined, compromisedSince: undefined }],
    witnesses: undefined,
    source: 'local',
  };
}
