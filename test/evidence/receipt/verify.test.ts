import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, parseEnvelope, signEnvelope } from '../../../evidence/dsse.ts';
import { anchorLeaf } from '../../../evidence/anchor-log/entry.ts';
import { formatTlogProof, parseTlogProof } from '../../../evidence/note/tlog-proof.ts';
import { formatVerifierKey } from '../../../evidence/note/key.ts';
import { NO_RECEIPT_TRUST, receiptTrust } from '../../../evidence/receipt/trust.ts';
import {
  verifyReceipt,
  type ExpectedCall,
  type PresentedReceipt,
  type Purpose,
} from '../../../evidence/receipt/verify.ts';
import type { TrustPolicy } from '../../../schemas/trust-policy.ts';
import { attack, type AttackNumber, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import {
  anchorProofOf,
  bytesOf,
  callEvent,
  createWorld,
  deployment,
  envelopeOf,
  gatewayReceipt,
  keyOf,
  keys,
  logOf,
  observed,
  origin,
  proofOf,
  proofsOf,
  receiptEvent,
  signedNote,
  startMs,
  trust,
  trustPolicy,
} from './receipt-world.ts';

const world = createWorld();
const decision = observed(world, 3, 'decision');
const outcome = observed(world, 3, 'outcome');

const attestedEnvelope = envelopeOf(gatewayReceipt('decision'), keys.gateway);
const gatewayWorld = createWorld([
  callEvent(1),
  receiptEvent(gatewayReceipt('decision'), attestedEnvelope),
  callEvent(2),
]);
const attested = { envelope: attestedEnvelope, ...proofsOf(gatewayWorld, 1) };

const judge = (presented: PresentedReceipt, expected?: ExpectedCall, purpose?: Purpose) =>
  verifyReceipt(presented, trust, expected, purpose);
const said = (presented: PresentedReceipt, using = trust) => {
  const { verdict, cause } = verifyReceipt(presented, using);
  return `${verdict} ${cause}`;
};
const trusting = (changes: Partial<TrustPolicy>) => receiptTrust({ ...trustPolicy, ...changes });
/** The envelope with a changed payload, signed again or not. */
const changed = (envelope: string, change: (text: string) => string, key = keys.receipts) => {
  const payload = Buffer.from(change(Buffer.from(parseEnvelope(envelope).payload).toString()));
  return formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, payload, [key]));
};
const reproved = (text: string, change: Partial<ReturnType<typeof parseTlogProof>>) =>
  formatTlogProof({ ...parseTlogProof(text), ...change });

describe('a receipt of ours', () => {
  it('is valid under pinned keys, with bounds of time that are not its own', () => {
    const found = judge(decision);
    expect(found.checks.filter(({ result }) => result !== 'passed').map(({ check }) => check)).toEqual([
      'freshness',
    ]);
    expect(found).toMatchObject({
      verdict: 'valid',
      cause: null,
      key_source: 'pinned',
      assurance: 'observed',
      receipt: { kind: 'decision', decision: 'allow', tenant: 'acme', issuer: `${deployment}/receipts` },
      time_bounds: {
        not_before_ms: startMs + 2000,
        // The second of the two witnesses that the policy asks for, to the end of its second.
        not_after_ms: Number(world.witnessSec + 1n) * 1000 + 999,
        not_after_by: 'witnesses',
      },
    });
  });

  it('of an outcome names the decision receipt of the same entry', () => {
    const found = judge(outcome);
    expect(found).toMatchObject({
      verdict: 'valid',
      receipt: { kind: 'outcome', executed: true, category: 'ok' },
    });
    expect(Buffer.from(parseEnvelope(outcome.envelope).payload).toString()).toContain(
      '"decision_ref":"sha256:',
    );
  });

  it('without an earlier checkpoint has no lower bound', () => {
    expect(judge({ ...decision, beforeProof: undefined })).toMatchObject({
      verdict: 'valid',
      time_bounds: { not_before_ms: null },
    });
  });

  it('without pinned witnesses is bounded by the word of the notary', () => {
    const found = verifyReceipt(decision, receiptTrust({ ...trustPolicy, witnesses: undefined }));
    expect(found).toMatchObject({
      verdict: 'valid',
      time_bounds: { not_after_ms: startMs + 10_000, not_after_by: 'notary' },
    });
  });
});

describe("a gateway's receipt", () => {
  it('is valid when the entry holds it, and is attested', () => {
    expect(judge(attested)).toMatchObject({
      verdict: 'valid',
      assurance: 'attested',
      receipt: { decision: 'allow' },
    });
  });

  it('is not proven by an entry that holds another', () => {
    expect(said({ ...attested, ...proofsOf(gatewayWorld, 0) })).toBe('invalid BODY_HASH');
    const another = envelopeOf(gatewayReceipt('decision', 2), keys.gateway);
    expect(said({ ...attested, envelope: another })).toBe('invalid BODY_HASH');
  });

  it('cannot claim to be observed, nor an observed one to be attested', () => {
    const level = { level: 'observed', not_proven: ['x'] };
    expect(
      said({
        ...attested,
        envelope: envelopeOf(gatewayReceipt('decision', 1, { assurance: level }), keys.gateway),
      }),
    ).toBe('invalid ISSUER');
    const both = trusting({
      receipt_issuers: [
        ...trustPolicy.receipt_issuers!,
        {
          issuer: `${deployment}/receipts`,
          verifier_key: formatVerifierKey(keys.receipts),
          assurance: 'attested',
        },
      ],
    });
    const raised = changed(decision.envelope, (text) =>
      text.replace('"level":"observed"', '"level":"attested"'),
    );
    expect(said({ ...decision, envelope: raised })).toBe('invalid ISSUER');
    expect(said({ ...decision, envelope: raised }, both)).toBe('invalid STATEMENT');
  });

  it('cannot be signed by the key of another issuer', () => {
    expect(said({ ...attested, envelope: envelopeOf(gatewayReceipt('decision'), keys.receipts) })).toBe(
      'invalid ISSUER',
    );
  });
});

describe('attack 23: the key comes with the receipt', () => {
  it('is undecidable when no key is pinned, whatever the receipt brings along', () => {
    verifies('P4');
    const withKey = JSON.parse(decision.envelope) as { signatures: object[] };
    withKey.signatures = withKey.signatures.map((signature) => ({
      ...signature,
      cert: formatVerifierKey(keys.receipts),
      publicKey: formatVerifierKey(keys.receipts),
    }));
    const found = verifyReceipt({ ...decision, envelope: JSON.stringify(withKey) }, NO_RECEIPT_TRUST);
    expect(found).toMatchObject({ verdict: 'undecidable', cause: 'NO_PINNED_KEY', key_source: 'none' });
    expect(found.checks.find(({ check }) => check === 'inclusion')?.result).toBe('passed');
    attack(23, 'receipt', 'NO_PINNED_KEY');
  });

  it('is invalid when other keys are pinned', () => {
    const forged = observed(world, 3, 'decision', { ...keys.stranger, name: keys.receipts.name });
    expect(said(forged)).toBe('invalid UNKNOWN_KEY');
    const sameName = keyOf(keys.receipts.name, 'log', 'another seed');
    expect(said(observed(world, 3, 'decision', sameName))).toBe('invalid UNKNOWN_KEY');
    attack(22, 'receipt', 'UNKNOWN_KEY');
  });

  it('twin: the same receipt is valid under the pinned key', () => {
    expect(said(decision)).toBe('valid null');
    twin(22, 'receipt');
    twin(23, 'receipt');
  });

  it('is undecidable when the issuer is pinned and no notary is', () => {
    expect(said(decision, { ...trust, notary: NO_RECEIPT_TRUST.notary })).toBe('undecidable NO_PINNED_KEY');
  });
});

describe('attack 29: a receipt is used for another call', () => {
  it.each<[string, ExpectedCall]>([
    ['tenant', { tenant: 'globex' }],
    ['session', { session_id: 'session-2' }],
    ['server', { server: 'mail' }],
    ['tool', { tool: 'delete_file' }],
    ['call', { call_id: 'call-5' }],
    ['request', { request_id: '5' }],
    ['trace', { trace_id: '0'.repeat(32) }],
    ['kind', { kind: 'outcome' }],
  ])('%s differs', (_what, expected) => {
    verifies('P4');
    expect(judge(decision, expected)).toMatchObject({ verdict: 'invalid', cause: 'SUBJECT_MISMATCH' });
    attack(29, 'receipt', 'SUBJECT_MISMATCH');
  });

  it('twin: the call it is about', () => {
    const expected = {
      kind: 'decision',
      tenant: 'acme',
      session_id: 'session-1',
      server: 'files',
      tool: 'write_file',
      call_id: 'call-4',
    } as const;
    expect(judge(decision, expected)).toMatchObject({ verdict: 'valid' });
    twin(29, 'receipt');
  });

  it('its text is changed to another call and signed again: the subject, then the entry, says which it is', () => {
    const rename = (text: string) => text.replaceAll('call-4', 'call-5');
    expect(said({ ...decision, envelope: changed(decision.envelope, rename) })).toBe(
      'invalid SUBJECT_MISMATCH',
    );
    const other = observed(
      createWorld([callEvent(9), callEvent(8), callEvent(7), callEvent(6)]),
      3,
      'decision',
    );
    expect(said({ ...other, ...proofsOf(world, 3) })).toBe('invalid BODY_HASH');
  });

  it('it says more than its entry', () => {
    const text = (payload: string) => payload.replace('"rules":["files-write"]', '"rules":["files-admin"]');
    expect(said({ ...decision, envelope: changed(decision.envelope, text) })).toBe(
      'invalid SUBJECT_MISMATCH',
    );
  });

  it('the proof of another entry, log or tenant', () => {
    expect(said({ ...decision, ...proofsOf(world, 4) })).toBe('invalid ENTRY_PLACE');
    const globex = createWorld(undefined, { log: logOf('globex') });
    expect(said({ ...decision, ...proofsOf(globex, 3) })).toBe('invalid ENTRY_PLACE');
    expect(said({ ...attested, ...proofsOf(globex, 3) })).toBe('invalid ENTRY_PLACE');
    attack(27, 'receipt', 'ENTRY_PLACE');
  });

  const live = (changes: Partial<Extract<Purpose, { purpose: 'live' }>> = {}): Purpose => ({
    purpose: 'live',
    nowMs: startMs + 5000,
    maxAgeMs: 30_000,
    isUsed: () => false,
    ...changes,
  });

  it('an old allow is stale when something is to be done, and evidence all the same', () => {
    expect(judge(attested, {}, live({ nowMs: startMs + 60_000 }))).toMatchObject({
      verdict: 'invalid',
      cause: 'STALE',
    });
    expect(judge(attested)).toMatchObject({ verdict: 'valid' });
    attack(29, 'receipt', 'STALE');
    twin(29, 'receipt');
  });

  it('one that is issued in the future is stale', () => {
    expect(judge(attested, {}, live({ nowMs: startMs - 120_000 }))).toMatchObject({ cause: 'STALE' });
    attack(26, 'receipt', 'STALE');
  });

  it('a receipt that was used before is refused, by its issuer and id', () => {
    const used: string[] = [];
    const isUsed = (issuer: string, id: string) => used.includes(`${issuer} ${id}`);
    const first = judge(attested, {}, live({ isUsed }));
    expect(first).toMatchObject({ verdict: 'valid' });
    used.push(`${first.receipt!.issuer} ${first.receipt!.receipt_id}`);
    expect(judge(attested, {}, live({ isUsed }))).toMatchObject({
      verdict: 'invalid',
      cause: 'DUP_RECEIPT_ID',
    });
    attack(29, 'receipt', 'DUP_RECEIPT_ID');
  });
});

describe('attack 30: an allow is shown as an execution', () => {
  it('the verdict of a decision says decision only and nothing of an execution', () => {
    verifies('P4');
    const found = judge(decision);
    expect(found.claim).toMatch(/^decision only:.*nothing here says that the call was executed$/);
    expect(found.receipt).not.toHaveProperty('executed');
    expect(found.not_proven).toContain('that the call was executed: this is the decision only');
    attack(30, 'receipt', 'decision only');
  });

  it('a decision cannot be relabelled as an outcome', () => {
    const relabel = (text: string) => text.replace('mcp-tool-call/decision/v1', 'mcp-tool-call/outcome/v1');
    expect(said({ ...decision, envelope: changed(decision.envelope, relabel) })).toBe('invalid STATEMENT');
    attack(30, 'receipt', 'STATEMENT');
  });

  it('an entry that tells no outcome gives no receipt of one', () => {
    const request = callEvent(1);
    delete request.result;
    const denied = createWorld([{ ...request, phase: 'request' }]);
    expect(() => observed(denied, 0, 'outcome')).toThrow('no receipt');
    expect(said(observed(denied, 0, 'decision'))).toBe('valid null');
  });

  it('twin: the outcome says that it was executed', () => {
    expect(judge(outcome).claim).toMatch(/^outcome: .*; it was executed$/);
    twin(30, 'receipt');
  });

  it('a denied call is told as not executed', () => {
    const denied = createWorld([
      { ...callEvent(1), policy: { decision: 'deny' }, result: { category: 'denied' } },
    ]);
    expect(judge(observed(denied, 0, 'outcome')).claim).toMatch(/it was not executed$/);
  });
});

/** Attack that a cause answers, where it answers one. */
const ATTACK_OF: Readonly<Record<string, AttackNumber>> = {
  UNKNOWN_KEY: 22,
  NOTE_SIGNATURE: 22,
  INCLUSION: 38,
  ANCHOR_INCLUSION: 38,
  QUORUM: 41,
  TIME_BOUNDS: 26,
};

describe('what is broken is named', () => {
  it.each<[string, string, () => PresentedReceipt]>([
    ['an envelope that is none', 'invalid BAD_ENVELOPE', () => ({ ...decision, envelope: '{}' })],
    [
      'a payload of another type',
      'invalid BAD_ENVELOPE',
      () => ({
        ...decision,
        envelope: formatEnvelope(signEnvelope('text/plain', Buffer.from('x'), [keys.receipts])),
      }),
    ],
    [
      'a changed payload',
      'invalid SIGNATURE',
      () => {
        const { signatures } = parseEnvelope(decision.envelope);
        const { payload, payloadType } = parseEnvelope(outcome.envelope);
        return { ...decision, envelope: formatEnvelope({ payload, payloadType, signatures }) };
      },
    ],
    [
      'a key that nobody pinned',
      'invalid UNKNOWN_KEY',
      () => ({ ...decision, envelope: changed(decision.envelope, (t) => t, keys.stranger) }),
    ],
    [
      'a field that is not known',
      'invalid STATEMENT',
      () => ({
        ...decision,
        envelope: changed(decision.envelope, (t) => t.replace('"tenant"', '"more":1,"tenant"')),
      }),
    ],
    [
      'JSON that is not canonical',
      'invalid STATEMENT',
      () => ({ ...decision, envelope: changed(decision.envelope, (t) => `${t} `) }),
    ],
    [
      'a key that comes twice',
      'invalid STATEMENT',
      () => ({
        ...decision,
        envelope: changed(decision.envelope, (t) =>
          t.replace('"tenant":"acme"', '"tenant":"globex","tenant":"acme"'),
        ),
      }),
    ],
    ['no proof', 'undecidable NO_PROOF', () => ({ envelope: decision.envelope })],
    ['no proof of the anchor', 'undecidable NO_PROOF', () => ({ ...decision, anchorProof: undefined })],
    ['a proof that is none', 'invalid BAD_PROOF', () => ({ ...decision, proof: 'x' })],
    [
      'a proof without the entry',
      'invalid BAD_PROOF',
      () => ({ ...decision, proof: reproved(decision.proof!, { extra: undefined }) }),
    ],
    [
      'another body',
      'invalid BODY_HASH',
      () => ({
        ...decision,
        proof: reproved(decision.proof!, {
          extra: Buffer.concat([parseTlogProof(decision.proof!).extra!, Buffer.from(' ')]),
        }),
      }),
    ],
    [
      'another place in the tree',
      'invalid ENTRY_PLACE',
      () => ({ ...decision, proof: reproved(decision.proof!, { index: 2n }) }),
    ],
    [
      'a hash of the path',
      'invalid INCLUSION',
      () => ({
        ...decision,
        proof: reproved(decision.proof!, {
          hashes: parseTlogProof(decision.proof!).hashes.map(() => Buffer.alloc(32)),
        }),
      }),
    ],
    [
      'a path that is too short',
      'invalid INCLUSION',
      () => ({ ...decision, proof: reproved(decision.proof!, { hashes: [] }) }),
    ],
    [
      'a checkpoint of the log that a stranger signed',
      'invalid UNKNOWN_KEY',
      () => {
        const strange = createWorld(undefined, { notary: keyOf(origin, 'log', 'x') });
        return { ...observed(strange, 3, 'decision') };
      },
    ],
    [
      'a signature of the notary that is bad',
      'invalid NOTE_SIGNATURE',
      () => {
        const { checkpoint } = parseTlogProof(decision.anchorProof!);
        const [first, ...rest] = checkpoint.signatures;
        const bad = { ...first!, signature: Buffer.alloc(64) };
        return {
          ...decision,
          anchorProof: reproved(decision.anchorProof!, {
            checkpoint: { ...checkpoint, signatures: [bad, ...rest] },
          }),
        };
      },
    ],
    [
      "an anchor entry of the log's earlier checkpoint",
      'invalid ANCHOR_ENTRY',
      () => ({ ...decision, anchorProof: anchorProofOf(world, 1) }),
    ],
    [
      "an anchor entry that is not the log's",
      'invalid ANCHOR_ENTRY',
      () => ({ ...decision, anchorProof: anchorProofOf(world, 0) }),
    ],
    [
      'an anchor entry that is not in its log',
      'invalid ANCHOR_INCLUSION',
      () => {
        const { extra } = parseTlogProof(decision.anchorProof!);
        const later = Buffer.from(
          Buffer.from(extra!)
            .toString()
            .replace(/"time_ms":\d+/, '"time_ms":1'),
        );
        return { ...decision, anchorProof: reproved(decision.anchorProof!, { extra: later }) };
      },
    ],
    [
      'too few witnesses',
      'undecidable QUORUM',
      () => observed(createWorld(undefined, { witnesses: [keys.witness1] }), 3, 'decision'),
    ],
    [
      'one witness twice',
      'undecidable QUORUM',
      () => observed(createWorld(undefined, { witnesses: [keys.witness1, keys.witness1] }), 3, 'decision'),
    ],
    [
      'an earlier checkpoint that has the entry',
      'invalid TIME_BOUNDS',
      () => ({ ...decision, beforeProof: anchorProofOf(world) }),
    ],
    [
      'an earlier checkpoint of another note',
      'invalid TIME_BOUNDS',
      () => ({ ...decision, beforeProof: anchorProofOf(createWorld([callEvent(1), callEvent(2)]), 1) }),
    ],
  ])('%s: %s', (_what, cause, play) => {
    verifies('P4');
    expect(said(play())).toBe(cause);
    const code = cause.split(' ')[1] ?? '';
    const number = ATTACK_OF[code];
    if (number !== undefined) attack(number, 'receipt', code);
  });

  it('a last entry that the anchor states otherwise is LEAF_HASH, and the true one is valid', () => {
    const last = observed(world, 4, 'decision');
    expect(said(last)).toBe('valid null');
    const { extra } = parseTlogProof(last.anchorProof!);
    const other = Buffer.from(
      Buffer.from(extra!)
        .toString()
        .replace(/"leaf":"[0-9a-f]{64}"/, `"leaf":"${'0'.repeat(64)}"`),
    );
    expect(said({ ...last, anchorProof: reproved(last.anchorProof!, { extra: other }) })).toBe(
      'invalid LEAF_HASH',
    );
  });

  it('a node of the tree is not taken for an entry', () => {
    const node = Buffer.concat([Buffer.from([1]), world.leaves[0]!, world.leaves[1]!]);
    expect(said({ ...decision, proof: reproved(decision.proof!, { extra: node }) })).toBe(
      'invalid BAD_PROOF',
    );
    attack(38, 'receipt', 'BAD_PROOF');
  });

  it.each([
    ['before its first size', { from_size: '4' }],
    ['at the size it ends before', { until_size: '3' }],
    ['from the size on at which it was stolen', { compromised_since_size: '3' }],
  ])('the key of the notary does not count %s', (_when, pin) => {
    const verifier_key = formatVerifierKey(keys.notary);
    const pinned = trusting({ notary: [{ verifier_key, ...pin }], witnesses: undefined });
    expect(said(decision, pinned)).toBe('invalid KEY_WINDOW');
    attack(24, 'receipt', 'KEY_WINDOW');
  });

  it('a stolen key counts where the quorum of pinned witnesses cosigned, and not for one of two', () => {
    const stolen = { verifier_key: formatVerifierKey(keys.notary), compromised_since_size: '3' };
    expect(said(decision, trusting({ notary: [stolen] }))).toBe('valid null');
    const alone = createWorld(undefined, { witnesses: [keys.witness1] });
    expect(said(observed(alone, 3, 'decision'), trusting({ notary: [stolen] }))).toBe('invalid KEY_WINDOW');
  });

  it('twin: the key counts within its sizes', () => {
    const verifier_key = formatVerifierKey(keys.notary);
    const pin = { verifier_key, from_size: '3', until_size: '4', compromised_since_size: '4' };
    expect(said(decision, trusting({ notary: [pin] }))).toBe('valid null');
    twin(24, 'receipt');
  });

  it('a checkpoint that came before its entry contradicts it', () => {
    const late = createWorld([1, 2, 3].map((number) => callEvent(number)));
    const presented = observed(late, 2, 'decision');
    const stated = JSON.parse(Buffer.from(late.anchorBodies.at(-1)!).toString()) as object;
    const early = {
      ...late,
      anchorBodies: [late.anchorBodies[0]!, bytesOf({ ...stated, time_ms: startMs - 600_000 })],
    };
    const note = createNote(early.anchorBodies);
    const proof = anchorProofOf({ ...early, anchorNote: note });
    const found = verifyReceipt(
      { envelope: presented.envelope, proof: proofOf(late, 2), anchorProof: proof },
      receiptTrust({ ...trustPolicy, witnesses: undefined }),
    );
    expect(found).toMatchObject({ verdict: 'invalid', cause: 'TIME_BOUNDS' });
    attack(26, 'receipt', 'TIME_BOUNDS');
  });

  it('whatever is presented, it answers and never calls it valid', () => {
    verifies('P10');
    const parts = { envelope: decision.envelope, proof: decision.proof!, anchorProof: decision.anchorProof! };
    const part = fc.constantFrom(...(Object.keys(parts) as (keyof typeof parts)[]));
    fc.assert(
      fc.property(
        part,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(2),
        (name, where, change, how) => {
          const bytes = Buffer.from(parts[name]);
          const at = Math.floor(where * bytes.length);
          const byte = bytes[at]!;
          bytes[at] = how === 0 ? byte ^ change : byte;
          const text =
            how === 1
              ? bytes.subarray(0, at)
              : how === 2
                ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
                : bytes;
          const presented = { ...parts, [name]: text.toString('latin1') };
          const { verdict } = verifyReceipt(presented, trust);
          // A cosignature or a space between members of the envelope is covered by nothing and changes nothing.
          if (verdict === 'valid') expect(sameMeaning(presented, parts)).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (envelope, proof, anchorProof) => {
        expect(verifyReceipt({ envelope, proof, anchorProof }, trust).verdict).toBe('invalid');
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.json(), (json) => {
        const envelope = formatEnvelope(
          signEnvelope(IN_TOTO_PAYLOAD_TYPE, Buffer.from(json), [keys.receipts]),
        );
        expect(verifyReceipt({ ...parts, envelope }, trust)).toMatchObject({
          verdict: 'invalid',
          cause: 'STATEMENT',
        });
      }),
      { numRuns: 200 },
    );
  });
});

function createNote(bodies: readonly Uint8Array[]) {
  return signedNote(origin, bodies.map(anchorLeaf), [keys.notary]);
}

function sameMeaning(one: Record<string, string>, other: Record<string, string>): boolean {
  const payload = (text: string) => Buffer.from(parseEnvelope(text).payload).toString();
  const core = (text: string) => {
    const { checkpoint, ...rest } = parseTlogProof(text);
    return JSON.stringify([rest.index.toString(), rest.hashes, rest.extra, checkpoint.text]);
  };
  return (
    payload(one['envelope']!) === payload(other['envelope']!) &&
    core(one['proof']!) === core(other['proof']!) &&
    core(one['anchorProof']!) === core(other['anchorProof']!)
  );
}
