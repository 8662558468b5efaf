import { createPrivateKey, hash } from 'node:crypto';
import {
  anchorLeaf,
  anchorOrigin,
  formatAnchorEntry,
  type AnchorEntry,
} from '../../../evidence/anchor-log/entry.ts';
import { canonicalJson } from '../../../evidence/canonical-json.ts';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, signEnvelope } from '../../../evidence/dsse.ts';
import { bodyHash, entryPreimage, leafHash, ZERO_LINK } from '../../../evidence/entry.ts';
import { checkpointText } from '../../../evidence/note/checkpoint.ts';
import {
  formatVerifierKey,
  signingKey,
  signText,
  type KeyUse,
  type SigningKey,
} from '../../../evidence/note/key.ts';
import type { SignedNote } from '../../../evidence/note/note.ts';
import { formatTlogProof } from '../../../evidence/note/tlog-proof.ts';
import { formatEntryExtra, parsePreimage } from '../../../evidence/receipt/entry-proof.ts';
import { eventOf, observedReceipt } from '../../../evidence/receipt/observed.ts';
import { formatStatement, statementDigest } from '../../../evidence/receipt/statement.ts';
import { subjectsOf } from '../../../evidence/receipt/commitment.ts';
import { receiptTrust } from '../../../evidence/receipt/trust.ts';
import type { PresentedReceipt } from '../../../evidence/receipt/verify.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../../schemas/event.ts';
import {
  PREDICATE_TYPES,
  receiptSchema,
  STATEMENT_TYPE,
  type Receipt,
  type ReceiptKind,
} from '../../../schemas/receipt.ts';
import { TRUST_SCHEMA, type TrustPolicy } from '../../../schemas/trust-policy.ts';
import { auditPath, treeHash } from '../merkle/reference-tree.ts';

export const startMs = Date.UTC(2026, 0, 5, 9, 0, 0);
export const deployment = 'acme-prod';
export const origin = anchorOrigin(deployment);

/** An Ed25519 key from a word: the same word gives the same key. */
export function keyOf(name: string, use: KeyUse = 'log', word = name): SigningKey {
  const der = Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    hash('sha256', word, 'buffer'),
  ]);
  return signingKey(name, use, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

export const keys = {
  receipts: keyOf(`${deployment}/receipts`),
  gateway: keyOf('gateway.acme.example'),
  notary: keyOf(origin),
  witness1: keyOf('witness.example/w1', 'witness'),
  witness2: keyOf('witness.example/w2', 'witness'),
  stranger: keyOf('stranger.example'),
};

export const trustPolicy: TrustPolicy = {
  schema: TRUST_SCHEMA,
  deployment,
  notary: [{ verifier_key: formatVerifierKey(keys.notary) }],
  witnesses: {
    quorum: 2,
    keys: [formatVerifierKey(keys.witness1), formatVerifierKey(keys.witness2)],
  },
  receipt_issuers: [
    {
      issuer: `${deployment}/receipts`,
      verifier_key: formatVerifierKey(keys.receipts),
      assurance: 'observed',
    },
    { issuer: 'gateway.acme.example', verifier_key: formatVerifierKey(keys.gateway), assurance: 'attested' },
  ],
};
export const trust = receiptTrust(trustPolicy);

/** A whole call: the decision and the outcome in one event. */
export function callEvent(number: number, tenant = 'acme', session = 'session-1'): CustodyEvent {
  const id = hash('sha256', `${tenant} ${session} ${number}`, 'hex');
  return {
    schema: EVENT_SCHEMA,
    event_id: `${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(13, 16)}-a${id.slice(17, 20)}-${id.slice(20, 32)}`,
    kind: 'tool_call',
    phase: 'complete',
    tenant,
    time_unix_nano: `${startMs + number * 1000}000000`,
    end_time_unix_nano: `${startMs + number * 1000 + 250}000000`,
    observed_time_unix_nano: `${startMs + number * 1000 + 300}000000`,
    source: { collector: 'otlp_http', signal: 'span', dialect: 'otel-semconv', vantage: 'gateway' },
    actor: { id: 'agent-7', type: 'agent', user_id: 'user-3' },
    client: { name: 'desk-agent', version: '2.4.1' },
    server: { name: 'files', version: '1.0.3' },
    tool: { name: 'write_file', call_id: `call-${number}`, action: 'write', definition_digest: id },
    mcp: { method: 'tools/call', request_id: String(number), transport: 'http' },
    session: { key: session, source: 'conversation_id', confidence: 'high' },
    trace: { trace_id: id.slice(0, 32), span_id: id.slice(0, 16) },
    arguments: { digest: id, size_bytes: 120 },
    result: { digest: id, size_bytes: 40, category: 'ok' },
    policy: { decision: 'allow', rule: 'files-write', version: '7', ticket: 'CHG-1' },
    fact_sources: { 'actor.id': 'gateway_observed', 'client.name': 'client_asserted' },
  };
}

/** A receipt that a gateway made of its own decision or call. */
export function gatewayReceipt(
  kind: ReceiptKind,
  number = 1,
  changes: Record<string, unknown> = {},
): Receipt {
  const call = {
    server: { name: 'files' },
    tool: 'write_file',
    call_id: `call-${number}`,
    session_id: 'session-1',
    arguments: { commitment: { alg: 'sha256-salted', digest: 'ab'.repeat(32) }, size_bytes: 120 },
  } as const;
  const tenant = 'acme';
  const facts =
    kind === 'decision'
      ? { decision: { result: 'allow', policy: { id: 'files', digest: `sha256:${'cd'.repeat(32)}` } } }
      : { outcome: { executed: true, category: 'ok' } };
  return receiptSchema.parse({
    _type: STATEMENT_TYPE,
    subject: subjectsOf({ tenant, call }),
    predicateType: PREDICATE_TYPES[kind],
    predicate: {
      schema: { version: 'custody.receipt/v1', canonicalization: 'RFC8785', hash: 'sha256' },
      receipt_id: `0190a000-0000-7000-8000-0000000000${String(number).padStart(2, '0')}`,
      issuer: 'gateway.acme.example',
      issued_at_ms: startMs + number * 1000,
      tenant,
      sequence: { stream: 'gateway-1', number: String(number) },
      call,
      assurance: { level: 'attested', not_proven: ['what the tool did beyond its result'] },
      ...facts,
      ...changes,
    },
  });
}

export function envelopeOf(receipt: Receipt, key: SigningKey): string {
  return formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, formatStatement(receipt), [key]));
}

/** An event as the collector makes one of a gateway's receipt. */
export function receiptEvent(receipt: Receipt, envelope: string): CustodyEvent {
  const { receipt_id, issuer } = receipt.predicate;
  return {
    ...callEvent(90),
    kind: 'policy',
    receipt: { envelope, receipt_id, issuer, signature: 'verified' },
  };
}

interface Leaf {
  readonly preimage: string;
  readonly leaf: string;
  readonly body: Uint8Array;
}

/** A data log of these bodies, one entry a second. */
export function dataLog(log: string, bodies: readonly Uint8Array[], fromMs = startMs): Leaf[] {
  const entries: Leaf[] = [];
  for (const [seq, body] of bodies.entries()) {
    const place = {
      logId: log,
      seq: BigInt(seq),
      topic: 'custody.events',
      partition: 0,
      offset: BigInt(seq),
      appendTimeMs: fromMs + seq * 1000 + 400,
      kind: 'event' as const,
    };
    const preimage = entryPreimage(place, entries.at(-1)?.leaf ?? ZERO_LINK, bodyHash(body));
    entries.push({ preimage, leaf: leafHash(preimage), body });
  }
  return entries;
}

export const bytesOf = (value: unknown): Uint8Array => Buffer.from(canonicalJson(value));

export const logOf = (tenant = 'acme') => `${deployment}/${tenant}/ev-0/0`;

export function signedNote(
  name: string,
  leaves: readonly Uint8Array[],
  signers: readonly SigningKey[],
  witnessedSec?: bigint,
  witnesses: readonly SigningKey[] = [keys.witness1, keys.witness2],
): SignedNote {
  const text = checkpointText({ origin: name, size: BigInt(leaves.length), root: treeHash(leaves) });
  const signatures = signers.map((key) => signText(key, text, 0n));
  if (witnessedSec !== undefined)
    signatures.push(...witnesses.map((key, place) => signText(key, text, witnessedSec + BigInt(place))));
  return { text, signatures };
}

export interface World {
  readonly entries: readonly Leaf[];
  readonly leaves: readonly Uint8Array[];
  readonly anchorBodies: readonly Uint8Array[];
  readonly anchorNote: SignedNote;
  readonly logNote: SignedNote;
  readonly witnessSec: bigint;
}

/** One data log, half of it signed in a first checkpoint and all of it in a second, anchored and cosigned. */
export function createWorld(
  events: readonly CustodyEvent[] = [1, 2, 3, 4, 5].map((number) => callEvent(number)),
  { log = logOf(), notary = keys.notary, witnesses = [keys.witness1, keys.witness2] } = {},
): World {
  const entries = dataLog(log, events.map(bytesOf));
  const leaves = entries.map(({ leaf }) => Buffer.from(leaf, 'hex'));
  const stateOf = (size: number, timeMs: number): AnchorEntry => ({
    schema: 'custody.anchor/v1',
    time_ms: timeMs,
    type: 'checkpoint',
    log,
    size: String(size),
    root: Buffer.from(treeHash(leaves.slice(0, size))).toString('hex'),
    leaf: entries[size - 1]?.leaf ?? '',
  });
  const genesis: AnchorEntry = {
    schema: 'custody.anchor/v1',
    time_ms: startMs,
    type: 'genesis',
    deployment,
    verifier_key: formatVerifierKey(notary),
  };
  const half = Math.floor(entries.length / 2);
  const acts = [
    genesis,
    ...(half > 0 ? [stateOf(half, startMs + half * 1000)] : []),
    stateOf(entries.length, startMs + 10_000),
  ];
  const anchorBodies = acts.map(formatAnchorEntry);
  const witnessSec = BigInt(Math.floor(startMs / 1000)) + 12n;
  return {
    entries,
    leaves,
    anchorBodies,
    anchorNote: signedNote(origin, anchorBodies.map(anchorLeaf), [notary], witnessSec, witnesses),
    logNote: signedNote(log, leaves, [keyOf(log, 'log', notary === keys.notary ? origin : notary.name)]),
    witnessSec,
  };
}

export function proofOf(world: World, seq: number): string {
  const entry = world.entries[seq] as Leaf;
  return formatTlogProof({
    extra: formatEntryExtra(entry),
    index: BigInt(seq),
    hashes: auditPath(seq, world.leaves),
    checkpoint: world.logNote,
  });
}

/** The proof of the anchor log's entry at an index; the last one states the newest checkpoint. */
export function anchorProofOf(world: World, index = world.anchorBodies.length - 1): string {
  return formatTlogProof({
    extra: world.anchorBodies[index],
    index: BigInt(index),
    hashes: auditPath(index, world.anchorBodies.map(anchorLeaf)),
    checkpoint: world.anchorNote,
  });
}

/** Our receipt of an entry, with everything that proves it. */
export function observed(
  world: World,
  seq: number,
  kind: ReceiptKind,
  key = keys.receipts,
): PresentedReceipt & { readonly envelope: string } {
  const { preimage, body } = world.entries[seq] as Leaf;
  const facts = parsePreimage(preimage);
  const event = eventOf(body);
  if (facts === undefined || event === undefined) throw new Error('no entry');
  const decision = observedReceipt(facts, event, { kind: 'decision', issuer: key.name });
  const decisionRef = decision === undefined ? undefined : statementDigest(formatStatement(decision));
  const receipt = observedReceipt(facts, event, { kind, issuer: key.name, decisionRef });
  if (receipt === undefined) throw new Error('no receipt');
  return { envelope: envelopeOf(receipt, key), ...proofsOf(world, seq) };
}

export function proofsOf(world: World, seq: number): Omit<PresentedReceipt, 'envelope'> {
  const half = Math.floor(world.entries.length / 2);
  return {
    proof: proofOf(world, seq),
    anchorProof: anchorProofOf(world),
    ...(seq >= half && half > 0 ? { beforeProof: anchorProofOf(world, 1) } : {}),
  };
}
