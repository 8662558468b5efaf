import type { CustodyEvent } from '../../schemas/event.ts';
import type { CallFacts, ContactFacts, Fresh, ValueFacts } from '../detector.ts';
import { itemHash } from '../learning/item-hash.ts';
import type { Registry } from '../registry/registry.ts';
import { contactsOf, valuesOf } from './provenance.ts';
import type { SessionMemory } from './session-memory.ts';
import { actionOf, traitsOf } from './tool-traits.ts';

/**
 * One call is often told several times: the agent's execute_tool span, the MCP client span, the server span, a
 * gateway log, a tap's request and its result. They are merged here, so that a call counts once and every later
 * observation only adds what is new.
 */
export interface CallRecord extends Writable<CallFacts> {
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

/** What the engine knows around a call. */
export interface CallContext {
  readonly memory: SessionMemory;
  readonly registry: Registry | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type PolicyDecision = NonNullable<NonNullable<CustodyEvent['policy']>['decision']>;

const maxIdsPerCall = 8;
const maxDestinations = 32;
const noDestinations: readonly string[] = [];
const noContacts: readonly ContactFacts[] = [];
const noValues: readonly ValueFacts[] = [];
export const nothingFresh: Fresh = {
  call: false,
  argumentsSize: false,
  resultSize: false,
  values: false,
  outcome: false,
  destinations: noDestinations,
};

export function newCall(
  event: CustodyEvent,
  index: number,
  timeMs: number,
  { registry }: CallContext,
): CallRecord {
  const { key: toolKey, hash: toolHash } = nameOf(event.server?.name, event.tool?.name);
  const registered = registry?.tool(event.server?.name, event.tool?.name);
  const action = actionOf(event.tool, registered);
  return {
    index,
    eventId: event.event_id,
    timeMs,
    tool: event.tool?.name ?? '',
    toolKey,
    toolHash,
    zone: registered?.zone ?? registry?.server(event.server?.name)?.zone,
    action,
    traits: traitsOf(event.tool, action, registered),
    continuation: event.mcp?.continuation === true,
    argumentsDigest: undefined,
    argumentsBytes: undefined,
    resultDigest: undefined,
    resultBytes: undefined,
    category: undefined,
    destinations: noDestinations,
    contacts: noContacts,
    values: noValues,
    flowBytes: 0,
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

interface ToolName {
  readonly key: string;
  readonly hash: number;
}

/** Tool keys with their hashes by server and tool, so that calls share one string: a function of the names, and bounded. */
const knownNames = new Map<string | undefined, Map<string, ToolName>>();
const knownServers = 256;
const knownToolsOfServer = 512;
const noName: ToolName = { key: '', hash: itemHash('') };

function nameOf(server: string | undefined, tool: string | undefined): ToolName {
  if (tool === undefined) return noName;
  let ofServer = knownNames.get(server);
  if (ofServer === undefined) {
    if (knownNames.size >= knownServers) knownNames.clear();
    knownNames.set(server, (ofServer = new Map<string, ToolName>()));
  }
  let name = ofServer.get(tool);
  if (name === undefined) {
    const key = server === undefined ? tool : `${server}/${tool}`;
    name = { key, hash: itemHash(key) };
    if (ofServer.size >= knownToolsOfServer) ofServer.clear();
    ofServer.set(tool, name);
  }
  return name;
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
export function mergeInto(
  call: CallRecord,
  event: CustodyEvent,
  first: boolean,
  { memory, registry }: CallContext,
): Fresh {
  remember(call.observers, observerOf(event) + phaseOf(event));
  remember(call.spans, event.trace?.span_id);
  remember(call.parents, event.trace?.parent_span_id);
  call.callId ??= event.tool?.call_id;
  call.requestId ??= event.mcp?.request_id;
  call.traceId ??= event.trace?.trace_id;
  call.server ??= event.server?.name;
  if (!first && (call.action === 'unknown' || event.tool?.annotations !== undefined)) {
    const registered = registry?.tool(call.server, call.tool);
    if (call.action === 'unknown') call.action = actionOf(event.tool, registered);
    call.traits = traitsOf(event.tool, call.action, registered);
  }
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
  const values = call.values.length === 0 && event.arguments?.values !== undefined;
  if (values) {
    call.values = valuesOf(memory, event);
    for (const value of call.values) if (value.origin === 'output') call.flowBytes += value.sizeBytes;
  }
  const destinations = mergeDestinations(call, event, memory);
  return { call: first, argumentsSize, resultSize, values, outcome, destinations };
}

/** Adds the destinations of a service call behind the tool. */
export function mergeApiCall(call: CallRecord, event: CustodyEvent, { memory }: CallContext): Fresh {
  remember(call.spans, event.trace?.span_id);
  return { ...nothingFresh, destinations: mergeDestinations(call, event, memory) };
}

function mergeDestinations(call: CallRecord, event: CustodyEvent, memory: SessionMemory): readonly string[] {
  const told = event.destinations;
  if (told === undefined || told.length === 0) return noDestinations;
  const fresh = told.filter((destination) => !call.destinations.includes(destination));
  if (fresh.length === 0) return noDestinations;
  call.destinations = [...call.destinations, ...fresh].slice(0, maxDestinations);
  const contacts = contactsOf(memory, event, fresh);
  call.contacts = [...call.contacts, ...contacts].slice(0, maxDestinations);
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
