import { EVENT_SCHEMA, type CustodyEvent, type FactSource } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { classifyAction } from './action-class.ts';
import { clipText } from './clip-text.ts';
import type { NormalizeContext } from './context.ts';
import { eventId } from './event-id.ts';
import { defined, readMeta, text, type McpMeta, type Peer } from './mcp-meta.ts';
import { definitionDigests, hintsOf, listedParts, type ListedTool } from './mcp-tools.ts';
import { describeMember, roleOfAnswer } from './mcp-payload.ts';
import { redactText } from './redact.ts';
import { intentOfText } from './intent.ts';
import { itemCountOf } from './item-count.ts';
import { destinationOrigins } from './stated-destinations.ts';

/** Who taps what: given on the command line, so it holds whatever the messages say. */
export interface McpTap {
  /** Unique per tap process; part of every event id and call id. */
  readonly instance: string;
  readonly serverName: string;
  readonly clientName?: string | undefined;
  readonly actorId?: string | undefined;
  /** Named by whoever started the tap for one agent task. */
  readonly sessionKey?: string | undefined;
  /** Local user and host that run the server. */
  readonly runtimeId?: string | undefined;
}

export type Direction = 'client_to_server' | 'server_to_client';

/** What is remembered of a request until its answer. */
export interface PendingRequest {
  readonly method: string;
  readonly toolName: string | undefined;
  readonly callId: string;
  readonly requestId: string;
  readonly timeUnixNano: string;
  readonly meta: McpMeta;
  readonly continuation: boolean;
}

/** What the tap knows about one message besides its text. */
export interface McpObservation {
  readonly direction: Direction;
  readonly timeUnixNano: string;
  /** Counts the events of this tap from 0: a gap is a loss. */
  readonly sequence: string;
  /** Of the message, of `params.arguments` (else `params`) and of `result` (else `error`), as on the wire. */
  readonly wireBytes: number;
  readonly argumentsBytes: number | undefined;
  readonly resultBytes: number | undefined;
  /** What both sides have said about themselves so far. */
  readonly peers: {
    readonly client?: Peer | undefined;
    readonly server?: Peer | undefined;
    readonly protocolVersion?: string | undefined;
  };
  readonly callId: string | undefined;
  /** For an answer: its request. */
  readonly pending: PendingRequest | undefined;
  /** For a call: the definition last listed under its name. */
  readonly listedTool: ListedTool | undefined;
  /** For a tool list: what it holds. */
  readonly toolDefinitions: readonly ListedTool[] | undefined;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** One JSON-RPC message (attacker-controlled) as an event. Never throws: what cannot be described is left out. */
export function normalizeMcpMessage(
  message: JsonObject,
  seen: McpObservation,
  tap: McpTap,
  context: NormalizeContext,
): CustodyEvent {
  const isAnswer = !('method' in message);
  const method = isAnswer ? seen.pending?.method : text(message['method']);
  const isCall = method === 'tools/call' && (isAnswer || 'id' in message);
  const params = isObject(message['params']) ? message['params'] : {};
  const given = isCall && !isAnswer ? params['arguments'] : message['params'];
  const outcome = 'error' in message ? message['error'] : message['result'];
  const sent = isAnswer
    ? undefined
    : describeMember(given, seen.argumentsBytes, isCall ? 'arguments' : 'other', context);
  const got = isAnswer ? describeMember(outcome, seen.resultBytes, roleOfAnswer(method), context) : undefined;
  const toolName = isCall ? (isAnswer ? seen.pending?.toolName : text(params['name'])) : undefined;
  const meta = isAnswer ? { ...readMeta(message), ...seen.pending?.meta } : readMeta(message);
  const redactions = sent?.redactions ?? got?.redactions ?? {};
  const listing = seen.toolDefinitions;
  const destinations = isCall && sent !== undefined ? sent.destinations : [];
  return defined({
    ...base(seen, tap, context, meta),
    kind: isCall ? 'tool_call' : listing === undefined ? 'mcp_message' : 'tool_list',
    phase: isAnswer ? 'result' : 'id' in message ? 'request' : undefined,
    ...(seen.pending === undefined
      ? {}
      : { time_unix_nano: seen.pending.timeUnixNano, end_time_unix_nano: seen.timeUnixNano }),
    source: source(method, seen, meta),
    tool: isCall
      ? defined({
          name: toolName,
          call_id: seen.callId,
          definition_digest: seen.listedTool?.digest,
          action:
            toolName === undefined
              ? undefined
              : classifyAction(toolName, { annotations: seen.listedTool?.annotations }),
          annotations: hintsOf(seen.listedTool),
        })
      : undefined,
    tool_definitions: definitionDigests(listing),
    listed_tools: listedParts(listing),
    mcp: defined({
      method,
      request_id: requestId(message['id']),
      protocol_version: meta.protocolVersion ?? seen.peers.protocolVersion,
      transport: 'stdio' as const,
      direction: seen.direction,
      continuation: isContinuation(message) || seen.pending?.continuation === true ? true : undefined,
    }),
    arguments: sent?.payload,
    result: got === undefined ? undefined : { ...got.payload, ...got.output, ...outcomeOf(message) },
    destinations: destinations.length > 0 ? destinations : undefined,
    destination_origins: destinationOrigins(
      destinations,
      sent ?? { written: new Map(), addressed: new Set() },
      context,
      context.tenant,
    ),
    item_count: isCall ? itemCountOf(sent?.plain) : undefined,
    pii: Object.keys(redactions).length === 0 ? undefined : { redactions },
    attributes: { ...seen.attributes, ...targetOf(method, params), 'mcp.wire_bytes': seen.wireBytes },
  }) as CustodyEvent;
}

/** Something the tap itself has to say: start, end, a gap, bytes that are no message. */
export function normalizeTapEvent(
  what: Pick<CustodyEvent, 'kind' | 'attributes' | 'arguments' | 'result'> & {
    readonly name: string;
    readonly transition?: 'start' | 'end';
    readonly toolDefinitions?: readonly ListedTool[];
    readonly redactions?: Readonly<Record<string, number>>;
    /** The agent's task in words; only fingerprints of them are kept. */
    readonly intent?: string | undefined;
  },
  seen: Pick<McpObservation, 'timeUnixNano' | 'sequence' | 'peers'> & { readonly direction?: Direction },
  tap: McpTap,
  context: NormalizeContext,
): CustodyEvent {
  const common = base(seen, tap, context, {});
  return defined({
    ...common,
    kind: what.kind,
    source: source(what.name, seen, {}),
    session:
      what.transition === undefined ? common.session : { ...common.session, transition: what.transition },
    tool_definitions: definitionDigests(what.toolDefinitions),
    listed_tools: listedParts(what.toolDefinitions),
    intent: what.intent === undefined ? undefined : intentOfText(what.intent, context, context.tenant),
    mcp: defined({
      protocol_version: seen.peers.protocolVersion,
      transport: 'stdio' as const,
      direction: seen.direction,
    }),
    arguments: what.arguments,
    result: what.result,
    pii:
      what.redactions === undefined || Object.keys(what.redactions).length === 0
        ? undefined
        : { redactions: what.redactions },
    attributes: what.attributes,
  });
}

/** What came of a request according to its answer; both faces of failure, JSON-RPC error and `isError`, count. */
export function outcomeOf(message: JsonObject): NonNullable<CustodyEvent['result']> {
  if ('error' in message) {
    const error = isObject(message['error']) ? message['error'] : {};
    return defined({
      category: 'error' as const,
      code: typeof error['code'] === 'number' ? String(error['code']) : undefined,
    });
  }
  const result = isObject(message['result']) ? message['result'] : {};
  if (result['resultType'] === 'input_required') return { category: 'input_required' };
  return result['isError'] === true ? { category: 'tool_error', code: 'tool_error' } : { category: 'ok' };
}

/** A multi-round-trip retry (2026-07-28): the same call again, with what the server had asked for. */
export function isContinuation(message: JsonObject): boolean {
  const params = message['params'];
  return isObject(params) && ('requestState' in params || 'inputResponses' in params);
}

/** JSON-RPC ids are strings or numbers; anything else names no request. */
export function requestId(id: unknown): string | undefined {
  return typeof id === 'number' ? String(id) : text(id, limits.idChars);
}

function base(
  seen: Pick<McpObservation, 'timeUnixNano' | 'sequence' | 'peers'>,
  tap: McpTap,
  context: NormalizeContext,
  meta: McpMeta,
) {
  const client = meta.client ?? seen.peers.client;
  const server = meta.server ?? seen.peers.server;
  const clientName = tap.clientName ?? client?.name;
  const facts: Record<string, FactSource> = { 'server.name': 'tap_observed' };
  if (tap.actorId !== undefined) facts['actor.id'] = 'tap_observed';
  if (tap.runtimeId !== undefined) facts['actor.runtime_id'] = 'tap_observed';
  if (clientName !== undefined)
    facts['client.name'] = tap.clientName === undefined ? 'client_asserted' : 'tap_observed';
  if (client?.version !== undefined) facts['client.version'] = 'client_asserted';
  if (server?.version !== undefined) facts['server.version'] = 'server_asserted';
  return {
    schema: EVENT_SCHEMA as typeof EVENT_SCHEMA,
    event_id: eventId(['mcp_stdio_tap', tap.instance, seen.sequence]),
    tenant: context.tenant,
    time_unix_nano: seen.timeUnixNano,
    observed_time_unix_nano: context.observedTimeUnixNano,
    trace:
      meta.traceId === undefined
        ? undefined
        : defined({ trace_id: meta.traceId, parent_span_id: meta.parentSpanId }),
    actor:
      tap.actorId === undefined && tap.runtimeId === undefined
        ? undefined
        : defined({
            id: tap.actorId,
            type: tap.actorId === undefined ? undefined : ('agent' as const),
            runtime_id: tap.runtimeId,
          }),
    client: clientName === undefined ? undefined : defined({ name: clientName, version: client?.version }),
    server: defined({ name: tap.serverName, version: server?.version }),
    session: sessionOf(tap, meta),
    fact_sources: facts,
  };
}

function source(
  name: string | undefined,
  seen: Pick<McpObservation, 'sequence'>,
  meta: McpMeta,
): CustodyEvent['source'] {
  return defined({
    collector: 'mcp_stdio_tap' as const,
    signal: 'mcp' as const,
    dialect: 'mcp_jsonrpc',
    vantage: 'tap' as const,
    name,
    sequence: seen.sequence,
    sampled: meta.sampled,
  });
}

/** The session-key ladder as far as stdio messages reach. A process is not a conversation, hence the last rung. */
function sessionOf(tap: McpTap, meta: McpMeta): NonNullable<CustodyEvent['session']> {
  if (meta.conversationId !== undefined)
    return { key: meta.conversationId, source: 'conversation_id', confidence: 'high' };
  if (tap.sessionKey !== undefined)
    return { key: tap.sessionKey, source: 'agent_session', confidence: 'high' };
  if (meta.agentSessionId !== undefined)
    return { key: meta.agentSessionId, source: 'agent_session', confidence: 'high' };
  if (meta.turnId !== undefined) return { key: meta.turnId, source: 'turn_id', confidence: 'medium' };
  if (meta.traceId !== undefined) return { key: meta.traceId, source: 'trace_root', confidence: 'low' };
  return { key: tap.instance, source: 'tap', confidence: 'low' };
}

/** What a message other than a tool call is about, in one redacted attribute. */
function targetOf(method: string | undefined, params: JsonObject): Record<string, string> {
  const target = (key: string, value: unknown) => {
    const plain = text(value, limits.attributeValueChars);
    return plain === undefined ? {} : { [key]: clipText(redactText(plain).text, limits.attributeValueChars) };
  };
  switch (method) {
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
    case 'notifications/resources/updated':
      return target('mcp.resource.uri', params['uri']);
    case 'prompts/get':
      return target('gen_ai.prompt.name', params['name']);
    case 'notifications/cancelled':
      return target('mcp.cancelled_request_id', requestId(params['requestId']));
    case 'notifications/progress':
      return target('mcp.progress_token', requestId(params['progressToken']));
    case undefined:
    default:
      return {};
  }
}
