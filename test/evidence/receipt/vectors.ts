import { parseEnvelope, preAuthEncoding } from '../../../evidence/dsse.ts';
import { formatSigningKey } from '../../../evidence/note/key.ts';
import { parseTlogProof } from '../../../evidence/note/tlog-proof.ts';
import { subjectsOf } from '../../../evidence/receipt/commitment.ts';
import { parseStatement, statementDigest } from '../../../evidence/receipt/statement.ts';
import { verifyReceipt, type PresentedReceipt } from '../../../evidence/receipt/verify.ts';
import {
  anchorProofOf,
  callEvent,
  createWorld,
  envelopeOf,
  gatewayReceipt,
  keys,
  observed,
  proofsOf,
  receiptEvent,
  trust,
  trustPolicy,
} from './receipt-world.ts';

export const vectorsFile = new URL('../../fixtures/vectors/receipt-v1.json', import.meta.url);

export interface ReceiptVector {
  readonly name: string;
  readonly envelope: string;
  readonly proof: string | undefined;
  readonly anchor_proof: string | undefined;
  readonly before_proof: string | undefined;
  /** Of the envelope's payload. */
  readonly statement: string | undefined;
  readonly statement_digest: string | undefined;
  readonly signed_bytes_hex: string | undefined;
  readonly verdict: string;
  readonly cause: string | null;
  readonly time_bounds: unknown;
}

/** The file as the code of today makes it: keys come from words, so nothing in it is random. */
export function vectorsText(): string {
  const world = createWorld();
  const decision = observed(world, 3, 'decision');
  const envelope = envelopeOf(gatewayReceipt('decision'), keys.gateway);
  const events = [callEvent(1), receiptEvent(gatewayReceipt('decision'), envelope), callEvent(2)];
  const attested = { envelope, ...proofsOf(createWorld(events), 1) };
  const { call, tenant } = gatewayReceipt('decision').predicate;
  const vectors = [
    vector('a decision that was observed', decision),
    vector('an outcome that was observed', observed(world, 3, 'outcome')),
    vector('the last entry of its log', observed(world, 4, 'outcome')),
    vector('a decision that a gateway attested', attested),
    vector('the proof of another entry', { ...decision, ...proofsOf(world, 4) }),
    vector('the earlier checkpoint of the log', { ...decision, anchorProof: anchorProofOf(world, 1) }),
    vector('a path with a hash left out', withoutHash(decision)),
    vector('a key that is not pinned', observed(world, 3, 'decision', keys.stranger)),
    vector('no proof', { envelope: decision.envelope }),
    vector(
      'too few witnesses',
      observed(createWorld(undefined, { witnesses: [keys.witness1] }), 3, 'decision'),
    ),
  ];
  const file = {
    comment:
      'Receipts of version 1; docs/spec/receipt.md says how to read this file. The keys are for tests alone.',
    signing_keys: Object.values(keys).map(formatSigningKey),
    trust_policy: trustPolicy,
    commitment: { tenant, call, subject: subjectsOf({ tenant, call }) },
    receipts: vectors,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function vector(name: string, presented: PresentedReceipt & { readonly envelope: string }): ReceiptVector {
  const { payload, payloadType } = parseEnvelope(presented.envelope);
  const { verdict, cause, time_bounds } = verifyReceipt(presented, trust);
  if (parseStatement(payload).receipt === undefined) throw new Error(`vector ${name} holds no receipt`);
  return {
    name,
    envelope: presented.envelope,
    proof: presented.proof,
    anchor_proof: presented.anchorProof,
    before_proof: presented.beforeProof,
    statement: Buffer.from(payload).toString(),
    statement_digest: statementDigest(payload),
    signed_bytes_hex: preAuthEncoding(payloadType, payload).toString('hex'),
    verdict,
    cause,
    time_bounds,
  };
}

function withoutHash(presented: PresentedReceipt & { readonly envelope: string }) {
  const lines = (presented.proof ?? '').split('\n');
  const { hashes } = parseTlogProof(presented.proof ?? '');
  const left = Buffer.from(hashes[0] ?? []).toString('base64');
  return { ...presented, proof: lines.filter((line) => line !== left).join('\n') };
}
