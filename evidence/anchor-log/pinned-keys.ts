import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { type KeyUse, parseVerifierKey, type VerifierKey } from '../note/key.ts';
import { anchorOrigin } from './entry.ts';
import type { NotaryKey } from './notary-keys.ts';
import type { WitnessQuorum } from './witness-quorum.ts';

/** What a verifier knows beforehand. */
export interface PinnedTrust {
  readonly keys: readonly NotaryKey[];
  readonly witnesses: WitnessQuorum | undefined;
  /** `pinned`: a policy from outside; `local`: the deployment's own key; `none`: only what the log says of itself. */
  readonly source: 'pinned' | 'local' | 'none';
}

export const NO_TRUST: PinnedTrust = { keys: [], witnesses: undefined, source: 'none' };

/** Throws a RangeError for keys that are none, have another use or another name than the deployment's, or come twice. */
export function pinnedTrust(policy: TrustPolicy): PinnedTrust {
  const origin = anchorOrigin(policy.deployment);
  const keys = policy.notary.map((pin) => {
    const key = keyOfUse(pin.verifier_key, 'log');
    if (key.name !== origin)
      throw new RangeError(`a key of the notary has the name ${origin}, not ${key.name}`);
    return {
      key,
      fromSize: BigInt(pin.from_size ?? 0),
      untilSize: sizeOf(pin.until_size),
      compromisedSince: sizeOf(pin.compromised_since_size),
    };
  });
  const witnesses = policy.witnesses && {
    quorum: policy.witnesses.quorum,
    keys: distinct(policy.witnesses.keys.map((text) => keyOfUse(text, 'witness'))),
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

/** Throws a RangeError for text that is no key, or one of another use. */
export function keyOfUse(text: string, use: KeyUse): VerifierKey {
  const key = parseVerifierKey(text);
  if (key.use !== use) throw new RangeError(`the key of ${key.name} is a ${key.use} key, not a ${use} key`);
  return key;
}

const sizeOf = (size: string | undefined): bigint | undefined =>
  size === undefined ? undefined : BigInt(size);

/** One key listed twice is one witness. */
function distinct(keys: readonly VerifierKey[]): VerifierKey[] {
  const raw = keys.map((key) => key.publicKey.export({ format: 'der', type: 'spki' }).toString('hex'));
  if (new Set(raw).size !== raw.length) throw new RangeError('a witness is listed twice');
  return [...keys];
}
