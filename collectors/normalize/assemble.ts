import { InputError } from '../../runtime/errors.ts';
import { EVENT_SCHEMA, TENANT_PATTERN, type CustodyEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import { isObject } from '../../schemas/json-object.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { classifyAction, type ActionClass } from './action-class.ts';
import { keepAttributes } from './attributes.ts';
import { compact } from './compact.ts';
import type { NormalizeContext } from './context.ts';
import { destinationsOf } from './stated-destinations.ts';
import type { Vantage } from './dialect.ts';
import { finishEvent } from './event-draft.ts';
import * as value from './field-values.ts';
import type { RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';
import { keyedDigest } from './keyed-digest.ts';
import { kindOf, phaseOf } from './kind.ts';
import { findNameRule, type ReadFields } from './mapping.ts';
import { mcpOf } from './mcp-facts.ts';
import { definitionDigests, listedParts, listedTools } from './mcp-tools.ts';
import { outcomeOf } from './outcome.ts';
import { actorOf, factSources } from './parties.ts';
import { intentOf } from './intent.ts';
import { itemCountOf } from './item-count.ts';
import { policyOf } from './policy.ts';
import { isPromptPiece } from './prompt-text.ts';
import { describeField, isAboutCall, resultOf } from './record-payloads.ts';
import { addCounts } from './redact.ts';
import type { ResourceFacts } from './resource.ts';
import { sessionOf } from './session.ts';
import { annotationsOf, changeOf, healthOf, networkOf, supplyChainOf } from './stated-facts.ts';
import { splitToolName } from './tool-name.ts';

/** What the wire record says outside its attributes. */
export interface Envelope {
  readonly signal: 'span' | 'log' | 'audit';
  readonly eventId: string;
  readonly name: string | undefined;
  readonly scopeName: string | undefined;
  readonly time: AttributeValue | undefined;
  readonly endTime: AttributeValue | undefined;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly parentSpanId: string | undefined;
  /** OTLP span kind; 0 where there is none. */
  readonly spanKind: number;
  /** OTLP status code; 0 where there is none. */
  readonly statusCode: number;
  readonly statusMessage: string | undefined;
  readonly sampled: boolean | undefined;
  readonly droppedCount: number;
  /** Prompts told beside the attributes: in events of a span. */
  readonly prompts?: readonly AttributeValue[];
  readonly resource: ResourceFacts;
}

type Tool = NonNullable<CustodyEvent['tool']>;

/** Shapes what a record says into an event; members in key order, so that encoding needs no sorting. */
export function assembleEvent(read: ReadFields, envelope: Envelope, context: NormalizeContext): CustodyEvent {
  const { values } = read;
  const { resource } = envelope;
  const counts: RedactionCounts = { ...resource.counts };
  const from = (field: number): AttributeValue | undefined => values[field] ?? resource.values.get(field);
  const found = findNameRule(envelope.name, read.names);
  const rule = found?.rule;
  const kind = kindOf(read, rule, envelope.spanKind === 3);
  const phase = phaseOf(read, kind, rule, envelope.signal === 'span');
  const vantage = vantageOf(read, rule?.vantage, envelope.spanKind);

  const tenant = tenantOf(from(F.tenant), context);
  const isCall = isAboutCall(kind);
  const given = describeField(
    values[F.arguments],
    values[F.argumentsBytes],
    context,
    tenant,
    isCall ? 'arguments' : 'prompt',
  );
  const got = describeField(
    values[F.result],
    values[F.resultBytes],
    context,
    tenant,
    isCall ? 'result' : 'other',
  );
  const listing = kind === 'tool_list' && isObject(got?.plain) ? listedTools(got.plain) : undefined;
  const pieces = read.unknown.filter(([key]) => isPromptPiece(key));
  const unknown = pieces.length === 0 ? read.unknown : read.unknown.filter(([key]) => !isPromptPiece(key));
  if (given !== undefined) addCounts(counts, given.redactions);
  if (got !== undefined) addCounts(counts, got.redactions);
  const outcome = outcomeOf(values, got?.plain, envelope.statusCode);
  const nameInRule = rule?.toolInName === true && kind === 'tool_call' ? found?.rest : undefined;
  const knownServer = value.asName(from(F.serverName), counts);
  const tool = toolOf(read, nameInRule, knownServer, counts);
  const statusMessage = value.asName(envelope.statusMessage, counts, limits.attributeValueChars);
  const kept = keepAttributes(unknown, resource.attributes, statusMessage, counts);
  const dropped = kept.dropped + envelope.droppedCount + read.duplicatePayloads;

  const actor = actorOf(from, resource.runtimeId, vantage, counts);
  const client = compact<NonNullable<CustodyEvent['client']>>({
    address: value.asName(values[F.clientAddress], counts),
    name: value.asIdentity(from(F.clientName), counts),
    version: value.asName(from(F.clientVersion), counts),
  });
  const server = compact<NonNullable<CustodyEvent['server']>>({
    address: value.asName(values[F.serverAddress], counts),
    name: knownServer ?? tool?.serverName,
    version: value.asName(from(F.serverVersion), counts),
  });
  const policy = policyOf(from, counts);
  const scope = compact<NonNullable<CustodyEvent['scope']>>({
    age_sec: value.asCount(from(F.tokenAgeSec)),
    audience: value.asName(from(F.audience), counts),
    credential_class: value.asName(from(F.credentialClass), counts),
    grants: value.asList(from(F.grants), counts, limits.grants),
    token_digest: digestOf(values[F.tokenId], context),
    ttl_sec: value.asCount(from(F.ttlSec)),
  });
  const { destinations, origins } = destinationsOf(values, given, kind, context, tenant);
  return finishEvent({
    actor,
    arguments: given?.payload,
    attributes: kept.attributes,
    attributes_dropped: dropped === 0 ? undefined : dropped,
    change: changeOf(from, counts),
    client,
    cost: compact<NonNullable<CustodyEvent['cost']>>({
      input_tokens: value.asCount(values[F.inputTokens]),
      output_tokens: value.asCount(values[F.outputTokens]),
      usd: value.asAmount(values[F.usd]),
    }),
    destination_origins: origins,
    destinations,
    end_time_unix_nano: value.asUnixNano(envelope.endTime),
    environment: value.asName(from(F.environment), counts),
    event_id: envelope.eventId,
    fact_sources: factSources({ actor, client, server, scope, policy }, vantage, kind),
    health: healthOf(from, counts),
    idempotency_key: value.asName(values[F.idempotencyKey], counts),
    intent: intentOf(read, kind, envelope, pieces, context, tenant),
    item_count:
      value.asCount(values[F.itemCount]) ?? (kind === 'tool_call' ? itemCountOf(given?.plain) : undefined),
    kind,
    listed_tools: listedParts(listing),
    mcp: mcpOf(values, counts),
    network: networkOf(from, counts),
    observed_time_unix_nano: context.observedTimeUnixNano,
    phase,
    plan_depth: value.asCount(values[F.planDepth]),
    policy,
    result: resultOf(outcome, got, kind, phase, policy?.decision, counts),
    retry_count: value.asCount(values[F.retryCount]),
    schema: EVENT_SCHEMA,
    scope,
    server,
    session: sessionOf(from, envelope.traceId, counts, rule?.transition ?? startOf(values)),
    source: sourceOf(read, envelope, context, vantage, counts),
    supply_chain: supplyChainOf(from, counts),
    tenant,
    time_unix_nano: value.asUnixNano(envelope.time) ?? context.observedTimeUnixNano,
    tool: tool?.tool,
    trace: compact<NonNullable<CustodyEvent['trace']>>({
      parent_span_id: envelope.parentSpanId,
      span_id: envelope.spanId,
      trace_id: envelope.traceId,
    }),
    tool_definitions: definitionDigests(listing),
    // Last, when everything has been redacted and counted.
    pii: compact<NonNullable<CustodyEvent['pii']>>({
      count: value.asCount(values[F.piiCount]),
      redactions: sorted(counts),
    }),
  });
}

const VANTAGES: ReadonlySet<string> = new Set(['client', 'server', 'gateway', 'agent']);

/** The handshake that opens a session of the protocol revisions that have one. */
function startOf(values: ReadFields['values']): 'start' | undefined {
  return values[F.method] === 'initialize' ? 'start' : undefined;
}

/** A span of a server tells the server's view, of a client the client's; inside an agent, the agent's. */
function vantageOf(read: ReadFields, byName: Vantage | undefined, spanKind: number): Vantage {
  const stated = value.asText(read.values[F.vantage]);
  if (stated !== undefined && VANTAGES.has(stated)) return stated as Vantage;
  const fixed = byName ?? read.dialect.vantage;
  if (fixed !== undefined) return fixed;
  if (spanKind === 2) return 'server';
  if (spanKind === 3) return 'client';
  return read.values[F.operation] === undefined ? 'unknown' : 'agent';
}

function toolOf(
  read: ReadFields,
  nameInRule: string | undefined,
  serverName: string | undefined,
  counts: RedactionCounts,
): { readonly tool: Tool; readonly serverName: string | undefined } | undefined {
  const { values } = read;
  const raw = value.asName(values[F.toolName] ?? nameInRule, counts);
  const callId = value.asName(values[F.callId], counts);
  if (raw === undefined)
    return callId === undefined ? undefined : { tool: { call_id: callId }, serverName: undefined };
  const split = splitToolName(raw, serverName, read.dialect.toolSeparator);
  const digest = value.asText(values[F.definitionDigest]);
  const tool = compact<Tool>({
    action: actionOf(split.name, values),
    annotations: annotationsOf((field) => values[field]),
    call_id: callId,
    definition_digest: digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined,
    name: split.name,
    raw_name: split.rawName,
  });
  return tool === undefined ? undefined : { tool, serverName: split.serverName };
}

const ACTIONS: ReadonlySet<string> = new Set(['read', 'write', 'execute', 'egress', 'session', 'unknown']);

function actionOf(toolName: string, values: ReadFields['values']): ActionClass {
  const stated = value.asText(values[F.action]);
  if (stated !== undefined && ACTIONS.has(stated)) return stated as ActionClass;
  const readOnlyHint = value.asFlag(values[F.readOnlyHint]);
  const destructiveHint = value.asFlag(values[F.destructiveHint]);
  return readOnlyHint === undefined && destructiveHint === undefined
    ? classifyAction(toolName)
    : classifyAction(toolName, { annotations: { readOnlyHint, destructiveHint } });
}

function sourceOf(
  read: ReadFields,
  envelope: Envelope,
  context: NormalizeContext,
  vantage: Vantage,
  counts: RedactionCounts,
): CustodyEvent['source'] {
  const sequence = value.asText(read.values[F.sequence]);
  return compact<CustodyEvent['source']>({
    collector: context.collector,
    dialect: read.dialect.id,
    name: value.asName(envelope.name, counts),
    sampled: envelope.sampled,
    scope: value.asName(envelope.scopeName, counts),
    sequence: sequence !== undefined && /^\d{1,20}$/.test(sequence) ? sequence : undefined,
    signal: envelope.signal,
    vantage,
  }) as CustodyEvent['source'];
}

function tenantOf(stated: AttributeValue | undefined, context: NormalizeContext): string {
  if (context.tenantPinned || stated === undefined) return context.tenant;
  if (typeof stated === 'string' && TENANT_PATTERN.test(stated)) return stated;
  throw new InputError(
    'input_invalid',
    'cannot take the record: its tenant is not 1 to 63 characters of a-z, 0-9, ".", "_" and "-", first a letter or digit',
    { path: 'tenant.id' },
  );
}

function digestOf(token: AttributeValue | undefined, context: NormalizeContext): string | undefined {
  const text = value.asText(token);
  return text === undefined ? undefined : keyedDigest(context.digestKey, text);
}

function sorted(counts: RedactionCounts): RedactionCounts | undefined {
  const types = Object.keys(counts);
  if (types.length === 0) return undefined;
  return Object.fromEntries(types.sort().map((type) => [type, counts[type] ?? 0]));
}
