import { describe, expect, it } from 'vitest';
import {
  anchorLeaf,
  formatAnchorEntry,
  keyRotationText,
  type AnchorEntry,
} from '../../../evidence/anchor-log/entry.ts';
import type { RotationProof } from '../../../evidence/anchor-log/rotation-proof.ts';
import { formatVerifierKey, type SigningKey, signText } from '../../../evidence/note/key.ts';
import { formatNote } from '../../../evidence/note/note.ts';
import { formatTlogProof } from '../../../evidence/note/tlog-proof.ts';
import { receiptTrust } from '../../../evidence/receipt/trust.ts';
import { verifyReceipt } from '../../../evidence/receipt/verify.ts';
import type { TrustPolicy } from '../../../schemas/trust-policy.ts';
import { auditPath } from '../merkle/reference-tree.ts';
import {
  createWorld,
  keyOf,
  keys,
  observed,
  origin,
  signedNote,
  startMs,
  trustPolicy,
} from './receipt-world.ts';

const next = keyOf(origin, 'log', 'the next key');
const thief = keyOf(origin, 'log', 'a thief');
const world = createWorld();
const decision = observed(world, 3, 'decision');

function rotationEntry(old: SigningKey, to: SigningKey, proofBy = to): AnchorEntry {
  const [from, taken] = [formatVerifierKey(old), formatVerifierKey(to)];
  const { signature } = signText(proofBy, keyRotationText(origin, from, taken), 0n);
  return {
    ...{ schema: 'custody.anchor/v1', time_ms: startMs + 11_000, type: 'key_rotated', old: from, new: taken },
    ...{ proof: Buffer.from(signature).toString('base64'), operator: 'ana', reason: 'yearly' },
  };
}

interface Rotated {
  readonly to?: SigningKey;
  readonly proofBy?: SigningKey;
  /** Who signed the checkpoint that covers the change. */
  readonly signers?: readonly SigningKey[];
  readonly isCosigned?: boolean;
  readonly edit?: (proof: RotationProof) => RotationProof;
}

/** The receipt of a log whose notary changed its key after the entry was anchored: the newest checkpoint is the new key's. */
function rotated({
  to = next,
  proofBy,
  signers = [keys.notary, to],
  isCosigned = false,
  edit,
}: Rotated = {}) {
  const act = formatAnchorEntry(rotationEntry(keys.notary, to, proofBy));
  const later: AnchorEntry = {
    ...{ schema: 'custody.anchor/v1', time_ms: startMs + 12_000, type: 'hold_released' },
    ...{ hold_id: 'hold-1', operator: 'ana', reason: 'over' },
  };
  const bodies = [...world.anchorBodies, act, formatAnchorEntry(later)];
  const leaves = bodies.map(anchorLeaf);
  const covering = leaves.slice(0, -1);
  const seq = world.anchorBodies.length;
  const proof: RotationProof = {
    ...{ seq: String(seq), entry: Buffer.from(act).toString('utf8'), size: String(covering.length) },
    hashes: auditPath(seq, covering).map((hash) => Buffer.from(hash).toString('hex')),
    note: formatNote(signedNote(origin, covering, signers, isCosigned ? world.witnessSec : undefined)),
  };
  const newest = signedNote(origin, leaves, [to], world.witnessSec);
  const anchorProof = (index: number) =>
    formatTlogProof({
      ...{ extra: bodies[index], index: BigInt(index), hashes: auditPath(index, leaves), checkpoint: newest },
    });
  return {
    ...{ ...decision, anchorProof: anchorProof(2), beforeProof: anchorProof(1) },
    rotations: JSON.stringify([edit?.(proof) ?? proof]),
  };
}

const pinning = (...notary: (Omit<TrustPolicy['notary'][number], 'verifier_key'> & { key: SigningKey })[]) =>
  receiptTrust({
    ...trustPolicy,
    notary: notary.map(({ key, ...window }) => ({ verifier_key: formatVerifierKey(key), ...window })),
  });
const said = (presented: ReturnType<typeof rotated>, trust = pinning({ key: keys.notary })) => {
  const { verdict, cause } = verifyReceipt(presented, trust);
  return `${verdict} ${cause}`;
};

describe('a receipt under a key that took over', () => {
  it('is valid for one who pinned the old key, the new key or both', () => {
    expect(said(rotated())).toBe('valid null');
    const { rotations, ...without } = rotated();
    expect(rotations).toContain('key_rotated');
    expect(said({ ...without, rotations: '[]' }, pinning({ key: next }, { key: keys.notary }))).toBe(
      'valid null',
    );
    expect(
      said(rotated(), pinning({ key: keys.notary, until_size: '4' }, { key: next, from_size: '4' })),
    ).toBe('valid null');
  });

  it('is under an unknown key when the change is left out', () => {
    expect(said({ ...rotated(), rotations: '[]' })).toBe('invalid UNKNOWN_KEY');
  });

  it.each<[string, Rotated]>([
    ['the new key has not signed that it takes over', { proofBy: keys.stranger }],
    ['the old key has not signed its checkpoint', { signers: [next] }],
    ['the new key has not signed its checkpoint', { signers: [keys.notary] }],
    ['it is not in the tree', { edit: (proof) => ({ ...proof, seq: '2' }) }],
    ['it says another entry', { edit: (proof) => ({ ...proof, entry: proof.entry.replace('ana', 'eve') }) }],
    ['its checkpoint is of another size', { edit: (proof) => ({ ...proof, size: '3' }) }],
    ['its checkpoint is no note', { edit: (proof) => ({ ...proof, note: 'x' }) }],
  ])('is refused when %s', (_why, change) => {
    expect(said(rotated(change))).toBe('invalid ROTATION_INVALID');
  });

  it.each(['', '{', '{"seq":"1"}', '[{}]', '[null]', JSON.stringify(Array(1001).fill(null))])(
    'is refused, never a crash, for %j in the place of changes',
    (rotations) => {
      expect(said({ ...rotated(), rotations: rotations.slice(0, 6000) })).toBe('invalid ROTATION_INVALID');
    },
  );

  it('is refused when a stolen key handed over to a thief, unless the witnesses cosigned that', () => {
    const stolen = pinning({ key: keys.notary, compromised_since_size: '4' });
    expect(said(rotated({ to: thief }), stolen)).toBe('invalid ROTATION_INVALID');
    expect(said(rotated({ isCosigned: true }), stolen)).toBe('valid null');
    const later = pinning({ key: keys.notary, compromised_since_size: '5' });
    expect(said(rotated(), later)).toBe('valid null');
  });

  it('is refused when the old key had come to its end before', () => {
    expect(said(rotated(), pinning({ key: keys.notary, until_size: '4' }))).toBe('invalid ROTATION_INVALID');
  });
});
