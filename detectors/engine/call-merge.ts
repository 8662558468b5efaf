import type { CustodyEvent } from '../../schemas/event.ts';
import { toolKeyOf, type CallFacts, type Fresh } from '../detector.ts';
import { itemHash } from '../learning/item-hash.ts';

/**
 * One call is often told several times: the agent's execute_tool span, the MCP client span, the server span, a
 * gateway log, a tap's request and its result. They are merged here, so that a call counts once and every later
 * observation only adds what is new.
 */
export interface CallRecord extends Writable<CallFacts> {
  server: string | undefined;
  callId: string | undefined;
  requestId: string | undefined;
  traceId: string | undefined;
  readonly spans: string[];
  readonly parents: string[];
  /** Who has spoken, and in which phase: `observerOf` + phase. */
  readonly observers: number[];
  /** Own policy decision and ticket, from any observation. */
  decision: PolicyDecision | undefined;
  ticket: string | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type PolicyDecision = NonNullable<NonNullable<CustodyEvent['policy']>['decision']>;

const maxIdsPerCall = 8;
const maxDestinations = 32;
const noDestinations: readonly string[] = [];
export const nothingFresh: Fresh = {
  call: false,
  argumentsSize: false,
  resultSize: false,
  outcome: false,
  destinations: noDestinations,
};

export function newCall(event: CustodyEvent, index: number, timeMs: number): CallRecord {
  const toolKey = toolKeyOf(event) ?? '';
  return {
    index,
    eventId: event.event_id,
    timeMs,
    tool: event.tool?.name ?? '',
    toolKey,
    toolHash: itemHash(toolKey),
    action: event.tool?.action ?? 'unknown',
    continuation: event.mcp?.continuation === true,
    argumentsDigest: undefined,
    argumentsBytes: undefined,
    resultDigest: undefined,
    resultBytes: undefined,
    category: undefined,
    destinations: noDestinations,
    server: event.server?.name,
    callId: undefined,
    requestId: undefined,
    traceId: undefined,
    spans: listOf(event.trace?.span_id),
    parents: listOf(event.trace?.parent_span_id),
    observers: [observerOf(event) + phaseOf(event)],
    decision: undefined,
    ticket: undefined,
  };
}

/** The call among the last ones that the event is another observation of, newest first. */
export function findCall(calls: readonly CallRecord[], event: CustodyEvent): CallRecord | undefined {
  const observer = observerOf(event);
  for (let index = calls.length - 1; index >= 0; index -= 1) {
    const call = calls[index];
    if (call !== undefined && sameCall(call, event, observer)) return call;
  }
  return undefined;
}

/** The call whose span is the parent of an `api_call`. */
export function findCaller(calls: readonly CallRecord[], event: CustodyEvent): CallRecord | undefined {
  const parent = event.trace?.parent_span_id;
  if (parent === undefined) return undefined;
  return calls.findLast((call) => call.traceId === event.trace?.trace_id && call.spans.includes(parent));
}

function sameCall(call: CallRecord, event: CustodyEvent, observer: number): boolean {
  const tool = event.tool?.name;
  if (tool !== undefined && call.tool !== '' && tool !== call.tool) return false;
  // The same observer says each phase of a call once: its second `complete` is a second call.
  if (call.observers.includes(observer + phaseOf(event)) || call.observers.includes(observer + complete))
    return false;
  const callId = event.tool?.call_id;
  if (callId !== undefined && call.callId !== undefined) return callId === call.callId;
  const traceId = event.trace?.trace_id;
  if (traceId !== undefined && call.traceId !== undefined && traceId !== call.traceId) return false;
  const requestId = event.mcp?.request_id;
  if (requestId !== undefined && requestId === call.requestId && sameServer(call, event)) return true;
  if (traceId === undefined || call.traceId === undefined) return false;
  const span = event.trace?.span_id;
  const parent = event.trace?.parent_span_id;
  return (
    (span !== undefined && (call.spans.includes(span) || call.parents.includes(span))) ||
    (parent !== undefined && call.spans.includes(parent))
  );
}

function sameServer(call: CallRecord, event: CustodyEvent): boolean {
  const server = event.server?.name;
  return server === undefined || call.server === undefined || server === call.server;
}

/** Adds what the event knows to the call and says what was new. */
export function mergeInto(call: CallRecord, event: CustodyEvent, first: boolean): Fresh {
  remember(call.observers, observerOf(event) + phaseOf(event));
  remember(call.spans, event.trace?.span_id);
  remember(call.parents, event.trace?.parent_span_id);
  call.callId ??= event.tool?.call_id;
  call.requestId ??= event.mcp?.request_id;
  call.traceId ??= event.trace?.trace_id;
  call.server ??= event.server?.name;
  if (call.action === 'unknown') call.action = event.tool?.action ?? 'unknown';
  if (event.mcp?.continuation === true) call.continuation = true;
  if (event.policy?.decision !== undefined && event.policy.decision !== 'unknown')
    call.decision = event.policy.decision;
  call.ticket ??= event.policy?.ticket;
  call.argumentsDigest ??= event.arguments?.digest;
  call.resultDigest ??= event.result?.digest;
  const argumentsSize = call.argumentsBytes === undefined && event.arguments?.size_bytes !== undefined;
  if (argumentsSize) call.argumentsBytes = event.arguments?.size_bytes;
  const resultSize = call.resultBytes === undefined && event.result?.size_bytes !== undefined;
  if (resultSize) call.resultBytes = event.result?.size_bytes;
  const category = event.result?.category;
  const outcome = call.category === undefined && category !== undefined && category !== 'unknown';
  if (outcome) call.category = category;
  return { call: first, argumentsSize, resultSize, outcome, destinations: mergeDestinations(call, event) };
}

/** Adds the destinations of a service call behind the tool. */
export function mergeApiCall(call: CallRecord, event: CustodyEvent): Fresh {
  remember(call.spans, event.trace?.span_id);
  return { ...nothingFresh, destinations: mergeDestinations(call, event) };
}

function mergeDestinations(call: CallRecord, event: CustodyEvent): readonly string[] {
  const told = event.destinations;
  if (told === undefined || told.length === 0) return noDestinations;
  const fresh = told.filter((destination) => !call.destinations.includes(destination));
  if (fresh.length > 0) call.destinations = [...call.destinations, ...fresh].slice(0, maxDestinations);
  return fresh;
}

/** A number for collector, signal, vantage and dialect, with room for the phase; a string would cost more to keep. */
function observerOf({ source }: CustodyEvent): number {
  let dialect = 0;
  for (let index = 0; index < source.dialect.length; index += 1)
    dialect = (Math.imul(dialect, 31) + source.dialect.charCodeAt(index)) | 0;
  const place =
    (collectors.indexOf(source.collector) * 4 + signals.indexOf(source.signal)) * 8 +
    vantages.indexOf(source.vantage);
  return ((dialect >>> 0) * 256 + place) * 4;
}

const collectors = ['otlp_http', 'otlp_grpc', 'audit_http', 'mcp_stdio_tap'];
const signals = ['span', 'log', 'audit', 'mcp'];
const vantages = ['client', 'server', 'gateway', 'agent', 'tap', 'unknown'];
const complete = 2;

function phaseOf({ phase }: CustodyEvent): number {
  if (phase === 'request') return 0;
  return phase === 'result' ? 1 : complete;
}

/** An exact-size list: an empty one that grows takes room for seventeen. */
function listOf(value: string | undefined): string[] {
  return value === undefined ? [] : [value];
}

function remember<Value>(list: Value[], value: Value | undefined): void {
  if (value !== undefined && list.length < maxIdsPerCall && !list.includes(value)) list.push(value);
}
