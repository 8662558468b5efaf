import { createHash, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseSigningKey } from '../../../evidence/note/key.ts';
import { receiptTrust } from '../../../evidence/receipt/trust.ts';
import { verifyReceipt } from '../../../evidence/receipt/verify.ts';
import { trustPolicySchema } from '../../../schemas/trust-policy.ts';
import { verifies } from '../../requirements.ts';
import { vectorsFile, vectorsText, type ReceiptVector } from './vectors.ts';

const text = readFileSync(vectorsFile, 'utf8');
const file = JSON.parse(text) as {
  signing_keys: string[];
  trust_policy: unknown;
  commitment: {
    tenant: string;
    call: Record<string, string> & { server: { name: string }; arguments: { commitment: object } };
    subject: { digest: { sha256: string } }[];
  };
  receipts: ReceiptVector[];
};
const trust = receiptTrust(trustPolicySchema.parse(file.trust_policy));
const sha256 = (bytes: string) => createHash('sha256').update(bytes).digest('hex');

describe('the vectors of receipts', () => {
  it('are what the code makes (else run `npx tsx test/evidence/receipt/write-vectors.ts`)', () => {
    expect(vectorsText()).toBe(text);
  });

  it.each(file.receipts.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    verifies('P4');
    const presented = {
      envelope: vector.envelope,
      proof: vector.proof,
      anchorProof: vector.anchor_proof,
      beforeProof: vector.before_proof,
    };
    const { verdict, cause, time_bounds } = verifyReceipt(presented, trust);
    expect({ verdict, cause, time_bounds }).toEqual({
      verdict: vector.verdict,
      cause: vector.cause,
      time_bounds: vector.time_bounds,
    });
  });

  it('hold the causes that are to be told apart', () => {
    const causes = file.receipts.map(({ verdict, cause }) => `${verdict} ${cause}`);
    expect(new Set(causes)).toEqual(
      new Set([
        'valid null',
        'invalid ENTRY_PLACE',
        'invalid ANCHOR_ENTRY',
        'invalid INCLUSION',
        'invalid UNKNOWN_KEY',
        'undecidable NO_PROOF',
        'undecidable QUORUM',
      ]),
    );
  });

  it('can be checked with nothing but SHA-256, Ed25519 and JSON', () => {
    const keys = file.signing_keys.map(parseSigningKey);
    for (const { envelope, statement, statement_digest, signed_bytes_hex } of file.receipts) {
      const { payload, payloadType, signatures } = JSON.parse(envelope) as {
        payload: string;
        payloadType: string;
        signatures: { sig: string; keyid: string }[];
      };
      expect(Buffer.from(payload, 'base64').toString()).toBe(statement);
      expect(`sha256:${sha256(statement!)}`).toBe(statement_digest);
      const signed = Buffer.from(
        `DSSEv1 ${payloadType.length} ${payloadType} ${Buffer.byteLength(statement!)} ${statement}`,
      );
      expect(signed.toString('hex')).toBe(signed_bytes_hex);
      const key = keys.find(({ name, keyId }) => `${name}+${keyId}` === signatures[0]!.keyid);
      expect(verify(null, signed, key!.publicKey, Buffer.from(signatures[0]!.sig, 'base64'))).toBe(true);
    }
  });

  it('have the subject that the specification says, written by hand', () => {
    const { call, subject } = file.commitment;
    const identity = `"call_id":"${call['call_id']}","schema":"custody.call/v1","server":"files","session_id":"session-1","tenant":"acme","tool":"write_file"}`;
    const given = `{"arguments":{"alg":"sha256-salted","digest":"${'ab'.repeat(32)}"},`;
    expect(subject.map(({ digest }) => digest.sha256)).toEqual([
      sha256(`{${identity}`),
      sha256(`${given}${identity}`),
    ]);
  });
});
