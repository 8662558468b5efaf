import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import {
  PREDICATE_TYPES,
  RECEIPT_SCHEMA,
  receiptSchema,
  STATEMENT_TYPE,
  type Receipt,
  type ReceiptCall,
  type ReceiptKind,
  type ReceiptOf,
} from '../../schemas/receipt.ts';
import { canonicalJson } from '../canonical-json.ts';
import { hash } from 'node:crypto';
import { subjectsOf } from './commitment.ts';
import type { EntryFacts } from './entry-proof.ts';

type Decision = ReceiptOf<'decision'>['predicate']['decision'];
type Outcome = ReceiptOf<'outcome'>['predicate']['outcome'];

export interface ObservedOptions {
  readonly kind: ReceiptKind;
  /** Name of the key that will sign. */
  readonly issuer: string;
  /** Payload digest of the decision receipt, for an outcome. */
  readonly decisionRef?: string | undefined;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The event in a ledger entry's body; `undefined` for anything else. Reads attacker-controlled bytes. */
export function eventOf(body: Uint8Array): CustodyEvent | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(strictUtf8.decode(body))).data;
  } catch {
    return undefined;
  }
}

/**
 * The receipt that an entry gives: a function of its preimage and body, so that anybody who has the entry can make it again
 * and compare. `undefined` where the entry tells no decision, or no outcome, of a tool call.
 */
export function observedReceipt(
  entry: EntryFacts,
  event: CustodyEvent,
  { kind, issuer, decisionRef }: ObservedOptions,
): Receipt | undefined {
  const call = callOf(event);
  const decision = kind === 'decision' ? decisionOf(event) : undefined;
  const outcome = kind === 'outcome' ? outcomeOf(event) : undefined;
  if (decision === undefined && outcome === undefined) return undefined;
  const predicate = {
    schema: { version: RECEIPT_SCHEMA, canonicalization: 'RFC8785', hash: 'sha256' },
    receipt_id: receiptId(entry, kind),
    issuer,
    issued_at_ms: entry.appendTimeMs,
    tenant: event.tenant,
    sequence: { stream: entry.log, number: String(entry.seq) },
    previous: `sha256:${entry.prev}`,
    entry: { log: entry.log, seq: String(entry.seq), body_sha256: entry.bodySha },
    decision_ref: kind === 'outcome' ? decisionRef : undefined,
    call,
    identity: identityOf(event),
    decision,
    outcome,
    assurance: { level: 'observed', not_proven: notProven(kind, event) },
  };
  const statement = {
    _type: STATEMENT_TYPE,
    subject: subjectsOf({ tenant: event.tenant, call }),
    predicateType: PREDICATE_TYPES[kind],
    predicate,
  };
  return receiptSchema.safeParse(withoutAbsent(statement)).data;
}

/** What an event says of a call, in a receipt's words. */
function callOf(event: CustodyEvent): ReceiptCall {
  const { server, tool, mcp, session, trace, arguments: given } = event;
  return withoutAbsent({
    server: server && { name: server.name, version: server.version },
    transport: mcp?.transport,
    protocol_version: mcp?.protocol_version,
    method: mcp?.method,
    tool: tool?.name,
    definition_digest: tool?.definition_digest && `sha256:${tool.definition_digest}`,
    arguments: given && { commitment: hmac(given.digest), size_bytes: given.size_bytes },
    targets: event.destinations,
    idempotency_key: event.idempotency_key,
    call_id: tool?.call_id,
    request_id: mcp?.request_id,
    session_id: session?.key,
    mcp_session_id: mcp?.session_id,
    trace_id: trace?.trace_id,
    span_id: trace?.span_id,
  }) as ReceiptCall;
}

function identityOf({ actor, client, scope }: CustodyEvent): unknown {
  return {
    principal: actor?.user_id,
    agent: actor?.id === undefined ? undefined : { id: actor.id, type: actor.type },
    runtime_id: actor?.runtime_id,
    client_id: client?.name,
    credential_class: scope?.credential_class,
    grants: scope?.grants,
    token_id: hmac(scope?.token_digest),
  };
}

const RESULTS = {
  allow: 'allow',
  deny: 'deny',
  redact: 'redact',
  ask: 'require_approval',
  warn: 'warn',
} as const;

function resultOf(decision: string | undefined): Decision['result'] | undefined {
  return decision !== undefined && Object.hasOwn(RESULTS, decision)
    ? RESULTS[decision as keyof typeof RESULTS]
    : undefined;
}

function decisionOf({ kind, policy }: CustodyEvent): Decision | undefined {
  const result = resultOf(policy?.decision);
  if (policy === undefined || result === undefined || (kind !== 'tool_call' && kind !== 'policy'))
    return undefined;
  return {
    result,
    verdict: resultOf(policy.verdict),
    reason: policy.reason,
    policy: policy.version === undefined ? undefined : { version: policy.version },
    rules: policy.rule === undefined ? undefined : [policy.rule],
    approval: { ticket: policy.ticket, approver: policy.approver },
  };
}

function outcomeOf(event: CustodyEvent): Outcome | undefined {
  const { kind, phase, result, pii, destinations } = event;
  if (kind !== 'tool_call' || phase === 'request' || result?.category === undefined) return undefined;
  return {
    executed: executedOf(result.category),
    category: result.category,
    code: result.code,
    result: { commitment: hmac(result.digest), size_bytes: result.size_bytes },
    redactions: pii?.redactions,
    pii_count: pii?.count,
    egress: destinations,
    duration_ms: durationMs(event),
  };
}

/** Whether the tool ran; an error of the protocol, a time-out or a cancellation does not tell. */
function executedOf(category: Outcome['category']): boolean | undefined {
  switch (category) {
    case 'ok':
    case 'tool_error':
      return true;
    case 'denied':
    case 'rate_limited':
      return false;
    default:
      return undefined;
  }
}

function durationMs({ time_unix_nano, end_time_unix_nano }: CustodyEvent): number | undefined {
  if (end_time_unix_nano === undefined) return undefined;
  const nano = BigInt(end_time_unix_nano) - BigInt(time_unix_nano);
  return nano < 0n ? undefined : Number(nano / 1_000_000n);
}

function notProven(kind: ReceiptKind, { fact_sources }: CustodyEvent): string[] {
  const words = ['that whoever told the pipeline of this call told the truth'];
  if (kind === 'decision') words.push('that the call was executed: this is the decision only');
  else words.push('what the tool did beyond the result that was reported');
  const asserted = Object.entries(fact_sources ?? {}).filter(([, source]) => source === 'client_asserted');
  const paths = asserted.map(([path]) => path).sort();
  if (paths.length > 0) words.push(`what only the client says: ${paths.join(', ')}`.slice(0, 1024));
  return words;
}

const hmac = (digest: string | undefined) =>
  digest === undefined ? undefined : { alg: 'hmac-sha256' as const, digest };

/** UUID (RFC 9562 version 8): one for each kind of receipt of an entry. */
function receiptId({ log, seq }: EntryFacts, kind: ReceiptKind): string {
  const hex = hash('sha256', `${RECEIPT_SCHEMA}\n${log}\n${seq}\n${kind}\n`, 'hex');
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) & 3);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Whether the receipt is the one that the entry gives. */
export function isObservedOf(
  receipt: Receipt,
  kind: ReceiptKind,
  entry: EntryFacts,
  event: CustodyEvent,
): boolean {
  const { predicate } = receipt;
  const decisionRef = 'decision_ref' in predicate ? predicate.decision_ref : undefined;
  const again = observedReceipt(entry, event, { kind, issuer: predicate.issuer, decisionRef });
  return again !== undefined && canonicalJson(again) === canonicalJson(receipt);
}

/** Plain JSON without members that are undefined, and without objects and lists that have none left. */
function withoutAbsent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAbsent);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .map(([key, member]) => [key, withoutAbsent(member)] as const)
    .filter(([, member]) => member !== undefined && !isEmpty(member));
  return Object.fromEntries(members);
}

function isEmpty(value: unknown): boolean {
  if (value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
