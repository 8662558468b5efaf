import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keyRotationText } from '../../../evidence/anchor-log/entry.ts';
import { formatSigningKey, formatVerifierKey, signingKey, signText } from '../../../evidence/note/key.ts';
import { formatSignature, parseNote } from '../../../evidence/note/note.ts';
import { makeReceipts } from '../../../evidence/receipt/make.ts';
import { receiptTrust } from '../../../evidence/receipt/trust.ts';
import { verifyReceipt } from '../../../evidence/receipt/verify.ts';
import { InputError, IntegrityError } from '../../../runtime/errors.ts';
import { TRUST_SCHEMA, type TrustPolicy } from '../../../schemas/trust-policy.ts';
import { callEntries } from '../../../sinks/store/call-entries.ts';
import { firstCheckpointCovering, newestCheckpoint } from '../../../sinks/store/checkpoints.ts';
import { proveEntry } from '../../../sinks/store/entry-proofs.ts';
import { keyOf, keys } from '../../evidence/receipt/receipt-world.ts';
import { DEPLOYMENT, logOf, openArena, ORIGIN, type Arena } from '../../notary/arena.ts';
import { verifies } from '../../requirements.ts';

let arena: Arena;
beforeEach(async () => (arena = await openArena()));
afterEach(() => arena.close());

const key = keyOf(`${DEPLOYMENT}/receipts`);
const policy = (changes: Partial<TrustPolicy> = {}): TrustPolicy => ({
  schema: TRUST_SCHEMA,
  deployment: DEPLOYMENT,
  notary: [{ verifier_key: formatVerifierKey(arena.keys.current) }],
  receipt_issuers: [{ issuer: key.name, verifier_key: formatVerifierKey(key), assurance: 'observed' }],
  ...changes,
});

async function presented(id: string, tenant?: string) {
  const entries = await callEntries(arena.store.raw, { id, tenant });
  return Promise.all(
    makeReceipts(entries, key).map(async ({ kind, envelope, entry }) => ({
      kind,
      envelope,
      ...(await proveEntry(arena.store.raw, entry)),
    })),
  );
}

it('both receipts of a stored call verify offline, with bounds from the checkpoints around it', async () => {
  verifies('P4');
  await arena.write('acme', 3);
  await arena.step();
  const firstMs = arena.nowMs;
  await arena.write('globex', 2);
  await arena.write('acme', 4);
  await arena.step();
  const receipts = await presented('call-6');
  expect(receipts.map(({ kind }) => kind)).toEqual(['decision', 'outcome']);
  for (const receipt of receipts) {
    const found = verifyReceipt(receipt, receiptTrust(policy()), { tenant: 'acme', call_id: 'call-6' });
    expect(found).toMatchObject({
      verdict: 'valid',
      assurance: 'observed',
      time_bounds: { not_before_ms: firstMs, not_after_ms: arena.nowMs, not_after_by: 'notary' },
    });
  }
});

it('cosignatures that anchors gave back count and bound the time', async () => {
  await arena.write('acme', 3);
  await arena.step();
  const newest = await newestCheckpoint(arena.store.raw, ORIGIN);
  const { text } = parseNote(newest!.note);
  const sec = BigInt(Math.floor(arena.nowMs / 1000)) + 1n;
  const { size } = newest!;
  await arena.store.addAnchorEvidence(ORIGIN, [
    {
      size,
      anchor: 'w1',
      type: 'cosignature',
      evidence: formatSignature(signText(keys.witness1, text, sec)),
      timeMs: 1,
    },
    { size, anchor: 'disk', type: 'place', evidence: '/mnt/anchor', timeMs: 1 },
  ]);
  const [decision] = await presented('call-1');
  const witnesses = { quorum: 1, keys: [formatVerifierKey(keys.witness1)] };
  expect(verifyReceipt(decision!, receiptTrust(policy({ witnesses })))).toMatchObject({
    verdict: 'valid',
    time_bounds: { not_after_by: 'witnesses', not_after_ms: Number(sec) * 1000 + 999 },
  });
});

it('a receipt leads from the key that was pinned to the one that took over from it', async () => {
  verifies('P4');
  await arena.write('acme', 1);
  await arena.step();
  const pinned = receiptTrust(policy());
  expect((await presented('call-0'))[0]).not.toHaveProperty('rotations');
  const next = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
  writeFileSync(join(arena.state.path, 'next.key'), formatSigningKey(next));
  const [from, to] = [formatVerifierKey(arena.keys.current), formatVerifierKey(next)];
  const { signature } = signText(next, keyRotationText(ORIGIN, from, to), 0n);
  const proof = Buffer.from(signature).toString('base64');
  const entered = arena.acts.enter({
    ...{ type: 'key_rotated', old: from, new: to, proof, operator: 'o', reason: 'yearly' },
  });
  await arena.step();
  const { size } = await entered;
  await arena.write('acme', 2);
  await arena.step();
  const [decision] = await presented('call-2');
  expect(verifyReceipt(decision!, pinned)).toMatchObject({ verdict: 'valid' });
  expect(verifyReceipt({ ...decision!, rotations: undefined }, pinned)).toMatchObject({
    cause: 'UNKNOWN_KEY',
  });

  const notary = [{ verifier_key: from, compromised_since_size: '1' }];
  const witnesses = { quorum: 1, keys: [formatVerifierKey(keys.witness1)] };
  const stolen = receiptTrust(policy({ notary, witnesses }));
  expect(verifyReceipt(decision!, stolen)).toMatchObject({ cause: 'ROTATION_INVALID' });
  const covering = await firstCheckpointCovering(arena.store.raw, ORIGIN, size);
  const cosignature = signText(keys.witness1, parseNote(covering!.note).text, 7n);
  await arena.store.addAnchorEvidence(ORIGIN, [
    { size, anchor: 'w1', type: 'cosignature', evidence: formatSignature(cosignature), timeMs: 1 },
  ]);
  const [witnessed] = await presented('call-2');
  expect(verifyReceipt(witnessed!, stolen)).toMatchObject({ verdict: 'undecidable', cause: 'QUORUM' });
});

it('an entry that no checkpoint covers yet has no proof', async () => {
  await arena.write('acme', 1);
  const [decision] = await presented('call-0');
  expect(decision).not.toHaveProperty('proof');
  expect(verifyReceipt(decision!, receiptTrust(policy()))).toMatchObject({ cause: 'NO_PROOF' });
});

it('an event id names its call, and an id that several tenants have needs one', async () => {
  await arena.write('acme', 1);
  await arena.write('globex', 1);
  const [entry] = await callEntries(arena.store.raw, { id: 'call-0' });
  const again = await callEntries(arena.store.raw, { id: entry!.event.event_id });
  expect(again).toEqual([entry]);
  await expect(callEntries(arena.store.raw, { id: 'call-0', tenant: 'globex' })).rejects.toThrow(InputError);
  await expect(callEntries(arena.store.raw, { id: "'; SELECT 1" })).rejects.toThrow('no tool call');
});

it('an entry that was changed gives no receipt, and a tree that was changed no proof', async () => {
  await arena.write('acme', 4);
  await arena.step();
  const [entry] = await callEntries(arena.store.raw, { id: 'call-2' });
  await arena.tamper(
    `ALTER TABLE custody.entries UPDATE body = replaceOne(body, 'allow', 'alloW') WHERE log = '${logOf('acme')}' AND seq = 3`,
    `ALTER TABLE custody.entries UPDATE leaf = toFixedString(unhex('${'ab'.repeat(32)}'), 32) WHERE log = '${logOf('acme')}' AND seq = 1`,
  );
  await expect(callEntries(arena.store.raw, { id: 'call-2' })).rejects.toThrow('BODY_HASH');
  await expect(callEntries(arena.store.raw, { id: 'call-0' })).rejects.toThrow('LEAF_HASH');
  await expect(proveEntry(arena.store.raw, entry!)).rejects.toThrow(IntegrityError);
});
