import { keyedDigest } from '../keyed-digest.ts';
import { sipKey, type SipKey } from './sip-hash.ts';

const TENANTS_MAX = 4096;
const KEY_HEX_CHARS = 32;

const known = new WeakMap<Uint8Array, Map<string, SipKey>>();

/**
 * The tenant's key of fingerprints: 128 bits of HMAC-SHA256 over its name, under the deployment's digest key. Fingerprints of
 * two tenants cannot be compared, and nothing leads from them to the digest key. The caller must not change the key's bytes.
 */
export function provenanceKey(digestKey: Uint8Array, tenant: string): SipKey {
  let byTenant = known.get(digestKey);
  if (byTenant === undefined) known.set(digestKey, (byTenant = new Map<string, SipKey>()));
  const cached = byTenant.get(tenant);
  if (cached !== undefined) return cached;
  const digest = keyedDigest(digestKey, `custody provenance v1\n${tenant}`);
  const key = sipKey(Buffer.from(digest.slice(0, KEY_HEX_CHARS), 'hex'));
  // Senders may name tenants: the cache starts over rather than grow.
  if (byTenant.size >= TENANTS_MAX) byTenant.clear();
  byTenant.set(tenant, key);
  return key;
}
