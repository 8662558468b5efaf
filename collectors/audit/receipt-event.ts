import type { DsseEnvelope } from '../../evidence/dsse.ts';
import { statementDigest } from '../../evidence/receipt/statement.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import { receiptKind, type Receipt, type ReceiptOf } from '../../schemas/receipt.ts';
import { classifyAction } from '../normalize/action-class.ts';
import { compact } from '../normalize/compact.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { finishEvent, type EventDraft } from '../normalize/event-draft.ts';
import { eventId } from '../normalize/event-id.ts';

type Policy = NonNullable<CustodyEvent['policy']>;
type Decision = ReceiptOf<'decision'>['predicate']['decision'];

/** What is kept of a receipt beside what it says. */
type Kept = Pick<NonNullable<CustodyEvent['receipt']>, 'envelope' | 'signature'>;

/** Event decisions by receipt decision: what fails closed was denied. */
const DECISIONS = {
  allow: 'allow',
  deny: 'deny',
  redact: 'redact',
  require_approval: 'ask',
  rate_limit: 'deny',
  warn: 'warn',
  error: 'deny',
} as const satisfies Record<Decision['result'], NonNullable<Policy['decision']>>;

/**
 * The event that keeps a receipt: a policy decision or the result of a call where a known key signed it. What nobody vouches for
 * is kept as context, from which nothing is concluded.
 */
export function receiptEvent(
  receipt: Receipt,
  { payload }: DsseEnvelope,
  kept: Kept,
  context: NormalizeContext,
): CustodyEvent {
  const { predicate } = receipt;
  const isTrusted = kept.signature === 'verified';
  const kind = receiptKind(receipt);
  return finishEvent({
    ...nothing,
    ...(isTrusted ? factsOf(receipt) : {}),
    event_id: eventId(['receipt', predicate.tenant, statementDigest(payload)]),
    kind: isTrusted ? (kind === 'decision' ? 'policy' : 'tool_call') : 'context',
    phase: isTrusted && kind === 'outcome' ? 'result' : undefined,
    observed_time_unix_nano: context.observedTimeUnixNano,
    receipt: {
      envelope: kept.envelope,
      issuer: predicate.issuer,
      receipt_id: predicate.receipt_id,
      signature: kept.signature,
    },
    schema: EVENT_SCHEMA,
    source: {
      collector: context.collector,
      dialect: 'custody-receipt',
      name: `receipt.${kind}`,
      ...(isTrusted ? { sequence: predicate.sequence.number } : {}),
      signal: 'audit',
      vantage: 'gateway',
    },
    tenant: predicate.tenant,
    time_unix_nano: `${predicate.issued_at_ms}000000`,
  });
}

/** What the receipt says, in the words of events. */
function factsOf({ predicate }: Receipt): Partial<EventDraft> {
  const { call, identity } = predicate;
  const outcome = 'outcome' in predicate ? predicate.outcome : undefined;
  return {
    actor: compact<NonNullable<CustodyEvent['actor']>>({
      id: identity?.agent?.id,
      runtime_id: identity?.runtime_id,
      type: identity?.agent?.type,
      user_id: identity?.principal,
    }),
    arguments: sizeOf(call.arguments?.size_bytes),
    client: compact<NonNullable<CustodyEvent['client']>>({
      address: undefined,
      name: identity?.client_id,
      version: undefined,
    }),
    destinations: outcome?.egress ?? call.targets,
    fact_sources: factSources(predicate),
    idempotency_key: call.idempotency_key,
    mcp: compact<NonNullable<CustodyEvent['mcp']>>({
      continuation: undefined,
      direction: undefined,
      method: call.method,
      protocol_version: call.protocol_version,
      request_id: call.request_id,
      session_id: call.mcp_session_id,
      transport: call.transport,
    }),
    pii: compact<NonNullable<CustodyEvent['pii']>>({ count: outcome?.pii_count, redactions: undefined }),
    policy: 'decision' in predicate ? policyOf(predicate.decision) : undefined,
    result: outcome && {
      category: outcome.category,
      ...(outcome.code === undefined ? {} : { code: outcome.code }),
      ...sizeOf(outcome.result?.size_bytes),
    },
    scope: compact<NonNullable<CustodyEvent['scope']>>({
      age_sec: undefined,
      audience: identity?.audience?.[0],
      credential_class: identity?.credential_class,
      grants: identity?.grants,
      token_digest: undefined,
      ttl_sec: undefined,
    }),
    server: compact<NonNullable<CustodyEvent['server']>>({
      address: undefined,
      name: call.server?.name,
      version: call.server?.version,
    }),
    session: sessionOf(predicate),
    tool: toolOf(predicate),
    trace: compact<NonNullable<CustodyEvent['trace']>>({
      parent_span_id: undefined,
      span_id: call.span_id,
      trace_id: call.trace_id,
    }),
  };
}

function policyOf(decision: Decision): Policy | undefined {
  const { result, verdict, approval, policy, rules, reason, reason_codes } = decision;
  const said = verdict === undefined ? undefined : DECISIONS[verdict];
  return compact<Policy>({
    approver: approval?.approver,
    decision: DECISIONS[result],
    reason: reason ?? reason_codes?.join(', ').slice(0, 1024),
    rule: rules?.[0] ?? policy?.id,
    ticket: approval?.ticket,
    verdict: said === DECISIONS[result] ? undefined : said,
    version: policy?.version,
  });
}

function toolOf({ call }: Receipt['predicate']): CustodyEvent['tool'] {
  return compact<NonNullable<CustodyEvent['tool']>>({
    action: call.tool === undefined ? undefined : classifyAction(call.tool),
    annotations: undefined,
    call_id: call.call_id,
    definition_digest: call.definition_digest?.slice('sha256:'.length),
    name: call.tool,
    raw_name: undefined,
  });
}

function sessionOf({ call }: Receipt['predicate']): CustodyEvent['session'] {
  if (call.session_id !== undefined)
    return { confidence: 'high', key: call.session_id, source: 'agent_session' };
  if (call.mcp_session_id !== undefined)
    return { confidence: 'medium', key: call.mcp_session_id, source: 'mcp_session' };
  return call.trace_id === undefined
    ? undefined
    : { confidence: 'low', key: call.trace_id, source: 'trace_root' };
}

/** The gateway saw who called; the decision is the policy engine's own. */
function factSources({ call, identity, ...predicate }: Receipt['predicate']): CustodyEvent['fact_sources'] {
  const sources: NonNullable<CustodyEvent['fact_sources']> = {};
  if (identity?.agent !== undefined) sources['actor.id'] = 'gateway_observed';
  if (identity?.runtime_id !== undefined) sources['actor.runtime_id'] = 'gateway_observed';
  if (identity?.principal !== undefined) sources['actor.user_id'] = 'gateway_observed';
  if (identity?.client_id !== undefined) sources['client.name'] = 'gateway_observed';
  if ('decision' in predicate) sources['policy.decision'] = 'policy_engine';
  if (call.server?.name !== undefined) sources['server.name'] = 'gateway_observed';
  return Object.keys(sources).length === 0 ? undefined : sources;
}

const sizeOf = (bytes: number | undefined) =>
  bytes === undefined ? undefined : { size_bytes: bytes, size_source: 'attribute' as const };

/** Every member of an event, absent. */
const nothing = {
  actor: undefined,
  arguments: undefined,
  attributes: undefined,
  attributes_dropped: undefined,
  change: undefined,
  client: undefined,
  cost: undefined,
  destination_origins: undefined,
  destinations: undefined,
  end_time_unix_nano: undefined,
  environment: undefined,
  fact_sources: undefined,
  health: undefined,
  idempotency_key: undefined,
  intent: undefined,
  item_count: undefined,
  listed_tools: undefined,
  mcp: undefined,
  network: undefined,
  pii: undefined,
  plan_depth: undefined,
  policy: undefined,
  result: undefined,
  retry_count: undefined,
  scope: undefined,
  server: undefined,
  session: undefined,
  supply_chain: undefined,
  tool: undefined,
  tool_definitions: undefined,
  trace: undefined,
} as const;
