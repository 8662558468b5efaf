import type * as NodeCrypto from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';

// What stands in for node:crypto in a browser page: hashes, and Ed25519 alone.
vi.mock('node:crypto', async (original) => {
  const { hash } = await original<typeof NodeCrypto>();
  return { hash, constants: undefined, createPublicKey: () => ({}), verify: () => true };
});

const { TIMESTAMPS_UNSUPPORTED, verifyTimestamp } = await import('../../evidence/timestamp.ts');

describe('a verifier without RSA and ECDSA', () => {
  it('says that it cannot check a timestamp, and never that one is good', () => {
    expect(verifyTimestamp(Buffer.from('3000', 'hex'), Buffer.of(), 'no certificate')).toEqual({
      reason: TIMESTAMPS_UNSUPPORTED,
    });
    expect(TIMESTAMPS_UNSUPPORTED).toBe('unsupported here');
  });
});
