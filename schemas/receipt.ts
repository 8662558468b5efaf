import { z } from 'zod';
import { TENANT_PATTERN } from './event.ts';
import { resultCategory } from './event/payload.ts';
import { spanId, traceId } from './event/scalars.ts';

/**
 * Receipts about MCP tool calls, version 1: in-toto Statements (v1) that a DSSE envelope signs (docs/spec/receipt.md). Absent
 * facts are absent keys. No prompt, argument, result or token is ever in one, only commitments to them.
 */
export const RECEIPT_SCHEMA = 'custody.receipt/v1';
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

export type ReceiptKind = 'decision' | 'outcome';

export const PREDICATE_TYPES = {
  decision: 'https://custody.dev/attestation/mcp-tool-call/decision/v1',
  outcome: 'https://custody.dev/attestation/mcp-tool-call/outcome/v1',
} as const satisfies Record<ReceiptKind, string>;

const id = z.string().min(1).max(256);
const words = z.string().min(1).max(1024);
const count = z.int().nonnegative();
const timeMs = z.int().nonnegative();
const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const decimal = z.string().regex(/^(?:0|[1-9]\d{0,18})$/);
/** A digest with its algorithm in front, of bytes that the reader may come by. */
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/**
 * Binds a value without telling it. `hmac-sha256`: over its canonical JSON under a key the issuer keeps.
 * `sha256-salted`: SHA-256 of 32 bytes of salt, which the issuer keeps, and the canonical JSON.
 */
export const commitment = z.strictObject({ alg: z.enum(['hmac-sha256', 'sha256-salted']), digest: hex64 });

const call = z
  .strictObject({
    server: z
      .strictObject({ name: id.optional(), version: id.optional(), instance: id.optional() })
      .optional(),
    transport: z.enum(['stdio', 'http', 'sse', 'unknown']).optional(),
    protocol_version: z.string().min(1).max(64).optional(),
    method: id.optional(),
    tool: id.optional(),
    /** SHA-256 of the canonical JSON of the definition in force: shows a tool that was changed after review. */
    definition_digest: digest.optional(),
    arguments: z.strictObject({ commitment: commitment.optional(), size_bytes: count.optional() }).optional(),
    /** What the call reaches. */
    targets: z.array(id).max(32).optional(),
    idempotency_key: id.optional(),
    call_id: id.optional(),
    /** JSON-RPC id. */
    request_id: id.optional(),
    session_id: id.optional(),
    mcp_session_id: id.optional(),
    trace_id: traceId.optional(),
    span_id: spanId.optional(),
  })
  .refine(({ call_id, request_id, trace_id }) => (call_id ?? request_id ?? trace_id) !== undefined, {
    error: 'one of call_id, request_id and trace_id must say which call it is',
  });

const identity = z.strictObject({
  /** Who set the agent to work. */
  principal: id.optional(),
  agent: z.strictObject({ id, type: z.enum(['agent', 'human', 'service', 'unknown']).optional() }).optional(),
  /** Nearest first. */
  on_behalf_of: z.array(id).max(16).optional(),
  runtime_id: id.optional(),
  client_id: id.optional(),
  auth_method: id.optional(),
  /** What kind of credential; never the credential. */
  credential_class: id.optional(),
  grants: z.array(id).max(128).optional(),
  /** The token: a digest of its id, whom it is for, when it ends. */
  token_id: commitment.optional(),
  audience: z.array(id).max(16).optional(),
  expires_at_ms: timeMs.optional(),
});

const decisionResult = z.enum(['allow', 'deny', 'redact', 'require_approval', 'rate_limit', 'warn', 'error']);

const decision = z.strictObject({
  /** What was enforced. */
  result: decisionResult,
  /** What the policy said, where another thing was enforced. */
  verdict: decisionResult.optional(),
  mode: z.enum(['enforce', 'monitor']).optional(),
  reason_codes: z.array(id).max(32).optional(),
  reason: words.optional(),
  decision_point: z.strictObject({ name: id, version: id.optional() }).optional(),
  policy: z.strictObject({ id: id.optional(), version: id.optional(), digest: digest.optional() }).optional(),
  rules: z.array(id).max(32).optional(),
  inputs_digest: digest.optional(),
  approval: z.strictObject({ ticket: id.optional(), approver: id.optional() }).optional(),
  evaluated_at_ms: timeMs.optional(),
});

const dependencies = z.strictObject({
  lockfile_digest: digest.optional(),
  sbom_digest: digest.optional(),
  package: z.strictObject({ name: id, version: id.optional(), digest: digest.optional() }).optional(),
  scan: z.strictObject({ id, time_ms: timeMs.optional() }).optional(),
  registry_entry_digest: digest.optional(),
});

const outcome = z.strictObject({
  /** Whether the tool ran; absent where the result does not tell. */
  executed: z.boolean().optional(),
  category: resultCategory,
  code: z.string().min(1).max(64).optional(),
  result: z.strictObject({ commitment: commitment.optional(), size_bytes: count.optional() }).optional(),
  redactions: z.record(z.string().min(1).max(64), count).optional(),
  pii_count: count.optional(),
  egress: z.array(id).max(32).optional(),
  duration_ms: count.optional(),
  error_class: id.optional(),
});

const assurance = z.strictObject({
  /** `attested`: by whoever decided or ran the call. `observed`: by a pipeline that was told of it. */
  level: z.enum(['attested', 'observed']),
  /** What this receipt does not prove, in words. */
  not_proven: z.array(words).min(1).max(16),
});

const common = {
  schema: z.strictObject({
    version: z.literal(RECEIPT_SCHEMA),
    canonicalization: z.literal('RFC8785'),
    hash: z.literal('sha256'),
  }),
  receipt_id: z.uuid(),
  /** Name of who signs, as verifiers pin it. */
  issuer: id,
  /** The issuer's claim; never a bound on time by itself. */
  issued_at_ms: timeMs,
  tenant: z.string().regex(TENANT_PATTERN),
  /** Position among the issuer's receipts of a stream, without gaps. */
  sequence: z.strictObject({ stream: id, number: decimal }),
  /** Of the issuer's receipt before; for an observed receipt, leaf of the entry before. */
  previous: digest.optional(),
  /** Observed receipts only: the ledger entry it was made from, and is a function of. */
  entry: z.strictObject({ log: id, seq: decimal, body_sha256: hex64 }).optional(),
  call,
  identity: identity.optional(),
  dependencies: dependencies.optional(),
  assurance,
};

const subject = z
  .array(
    z.strictObject({
      name: z.enum(['call', 'call-with-arguments']),
      digest: z.strictObject({ sha256: hex64 }),
    }),
  )
  .min(1)
  .max(2);
const statement = { _type: z.literal(STATEMENT_TYPE), subject };

export const receiptSchema = z.discriminatedUnion('predicateType', [
  z.strictObject({
    ...statement,
    predicateType: z.literal(PREDICATE_TYPES.decision),
    predicate: z.strictObject({ ...common, decision }),
  }),
  z.strictObject({
    ...statement,
    predicateType: z.literal(PREDICATE_TYPES.outcome),
    predicate: z.strictObject({
      ...common,
      /** Payload digest of the decision receipt under which the call ran. */
      decision_ref: digest.optional(),
      outcome,
    }),
  }),
]);

export type Receipt = z.infer<typeof receiptSchema>;
export type ReceiptOf<Kind extends ReceiptKind> = Extract<
  Receipt,
  { predicateType: (typeof PREDICATE_TYPES)[Kind] }
>;
export type ReceiptPredicate = Receipt['predicate'];
export type ReceiptCall = ReceiptPredicate['call'];
export type Assurance = ReceiptPredicate['assurance']['level'];

export function receiptKind({ predicateType }: Receipt): ReceiptKind {
  return predicateType === PREDICATE_TYPES.decision ? 'decision' : 'outcome';
}
