import { createHash } from 'node:crypto';
import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { classifyAction } from '../../collectors/normalize/action-class.ts';
import { normalizeAudit } from '../../collectors/normalize/audit.ts';
import { eventId } from '../../collectors/normalize/event-id.ts';
import { eventKind, type CustodyEvent } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { toolLists } from './recorded-tool-list.ts';
import { recordedValues, countOf } from './recorded-values.ts';
import { textOf, type ReadEvent } from './recorded-event.ts';
import { sessionEvent } from './session-start.ts';
import { spelledFacts, withFacts } from './spelled-facts.ts';

/** A record and what only its place in the recording tells. */
export interface PlacedRecord {
  readonly record: JsonObject;
  /** Of the records of its session, from 0: makes ids and call ids distinct. */
  readonly ordinal: number;
  readonly timeUnixNano: string;
  readonly context: NormalizeContext;
}

const KINDS: ReadonlySet<string> = new Set(eventKind.options);
/** Read here, or about the recording itself. */
const OWN_MEMBERS = new Set(
  'ts seq vals arg_keys args_hash flow intent destinations out_sens arg_sens output_lines kind error zone listed_tools tools definitions'.split(
    ' ',
  ),
);
const ACTIONS: Readonly<Record<string, NonNullable<NonNullable<CustodyEvent['tool']>['action']>>> = {
  write: 'write',
  egress: 'egress',
  'egress+write': 'egress',
  'write+egress': 'egress',
  execute: 'execute',
  exec: 'execute',
};

/**
 * Events of one normalised record: for a call its request and its result, as a collector between agent and server sees them;
 * anything else is one event. What the record says beyond the recording's own members is read by the collectors' tables for
 * audit events, and where those have no place for it, by `spelling-table.ts`. Throws InputError as `normalizeAudit` does.
 */
export function normalisedEvents(placed: PlacedRecord): ReadEvent[] {
  const { record, context } = placed;
  const whole = wholeEvent(placed);
  const seq = countOf(record['seq']);
  const first =
    whole.intent === undefined || placed.ordinal > 0 ? [] : [{ event: startOf(placed, whole.intent), seq }];
  const id = (part: string) =>
    eventId([
      'recording',
      context.tenant,
      textOf(record['session']) ?? '',
      String(placed.ordinal),
      placed.timeUnixNano,
      part,
    ]);
  if (whole.kind !== 'tool_call') return [...first, { event: { ...whole, event_id: id('whole') }, seq }];
  const callId = whole.tool?.call_id ?? `${textOf(record['session']) ?? ''}.${placed.ordinal}`.slice(-256);
  const tool = { ...whole.tool, call_id: callId };
  const { result, intent, ...asked } = whole;
  const kept = first.length > 0 || intent === undefined ? {} : { intent };
  const request: CustodyEvent = { ...asked, ...kept, event_id: id('request'), phase: 'request', tool };
  if (result === undefined) return [...first, { event: request, seq }];
  const answer: CustodyEvent = { ...answerOf(whole), event_id: id('result'), phase: 'result', tool, result };
  return [...first, { event: request, seq }, { event: answer, seq }];
}

/** Where the first record tells what the agent was asked, the session starts with that. */
function startOf(
  { record, timeUnixNano, context }: PlacedRecord,
  intent: NonNullable<CustodyEvent['intent']>,
): CustodyEvent {
  return { ...sessionEvent('start', record, timeUnixNano, context), intent };
}

/** Everything the record says, as one event. */
function wholeEvent({ record, ordinal, timeUnixNano, context }: PlacedRecord): CustodyEvent {
  const { facts, rest } = spelledFacts(othersOf(record));
  const read = normalizeAudit({ ...rest, ...ownFacts(record), time: timeUnixNano }, context, String(ordinal));
  const values = recordedValues(record, context.digestKey);
  const event = withFacts(read, facts);
  const lists = toolLists(record, context);
  const kind = kindOf(record, event, lists !== undefined);
  const described = definedMembers({
    arguments: part({
      ...event.arguments,
      keys: values.keys,
      values: values.values,
      findings: values.argumentFindings ?? event.arguments?.findings,
      digest: digestOf(record) ?? event.arguments?.digest,
    }),
    result: part({
      ...event.result,
      findings: values.resultFindings ?? event.result?.findings,
      line_count: countOf(record['output_lines']),
    }),
    destinations: values.destinations ?? event.destinations,
    destination_origins: values.destinationOrigins ?? event.destination_origins,
    intent: values.intent ?? event.intent,
    tool: toolOf(record, event),
    ...lists,
  });
  return asObserved({ ...event, ...described, kind }, record);
}

/** Recordings are made between agent and server, whoever wrote them down. */
function asObserved(event: CustodyEvent, record: JsonObject): CustodyEvent {
  const { actor, source } = event;
  const isAgent = actor?.type === undefined && textOf(record['agent']) !== undefined;
  const facts = Object.keys(event.fact_sources ?? {}).map((fact) => [fact, 'tap_observed'] as const);
  return {
    ...event,
    ...(isAgent ? { actor: { ...actor, type: 'agent' } } : {}),
    ...(facts.length === 0 ? {} : { fact_sources: Object.fromEntries(facts) }),
    source: {
      ...source,
      dialect: 'recording',
      vantage: source.vantage === 'unknown' ? 'tap' : source.vantage,
    },
  };
}

/** Members that are not the recording's own. */
function othersOf(record: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !OWN_MEMBERS.has(name)));
}

/** The recording's own members under names the collectors' table for audit events knows. */
function ownFacts(record: JsonObject): JsonObject {
  const kind = textOf(record['kind']);
  const error = record['error'];
  const isTold = kind !== undefined && (KINDS.has(kind) || !Object.hasOwn(ACTIONS, kind)) && kind !== 'read';
  const isNamed = ['name', 'event', 'event_name', 'type'].some((name) => name in record);
  return {
    ...(isTold ? (KINDS.has(kind) ? { kind } : isNamed ? {} : { event: kind }) : {}),
    ...(isTold && /^tools?[/_.]list/.test(kind) ? { method: 'tools/list' } : {}),
    ...(typeof error === 'boolean' ? { is_error: error } : {}),
    ...(typeof error === 'string' && error !== '' ? { error_type: error } : {}),
    ...(typeof error === 'number' ? { error_type: String(error) } : {}),
    ...(isObject(error) ? { error_type: error['type'] ?? error['code'] ?? 'error' } : {}),
    ...outcomeWord(record['result']),
  };
}

/** A result that is one word is what came of the call, no payload. */
function outcomeWord(result: unknown): JsonObject {
  return typeof result === 'string' && /^[\w -]{1,32}$/.test(result) ? { status: result, result: null } : {};
}

function kindOf(record: JsonObject, event: CustodyEvent, listsTools: boolean): CustodyEvent['kind'] {
  if (listsTools) return 'tool_list';
  if (event.kind !== 'context') return event.kind;
  if (event.change !== undefined || event.supply_chain !== undefined) return 'registry';
  const name = textOf(record['kind']) ?? textOf(record['event']) ?? textOf(record['type']) ?? '';
  if (/^(?:auth|login|sign-?in|oauth|token)/i.test(name)) return 'auth';
  if (/plan/i.test(name)) return 'plan';
  return 'context';
}

/** The recorder's word for what the tool does counts where its name says less. */
function toolOf(record: JsonObject, event: CustodyEvent): CustodyEvent['tool'] {
  const { tool } = event;
  const stated = ACTIONS[textOf(record['kind']) ?? ''];
  if (tool === undefined || stated === undefined || tool.name === undefined) return tool;
  const named = classifyAction(tool.name);
  return named === 'read' || named === 'unknown' || named === 'session' ? { ...tool, action: stated } : tool;
}

/** Equal arguments have equal hashes; ours are longer. */
function digestOf(record: JsonObject): string | undefined {
  const hash = textOf(record['args_hash']);
  if (hash === undefined) return undefined;
  return /^[0-9a-f]{8,64}$/.test(hash)
    ? hash.padStart(64, '0')
    : createHash('sha256').update(hash).digest('hex');
}

/** Who and where, for the answer to a request. */
function answerOf(whole: CustodyEvent): CustodyEvent {
  const { schema, event_id, kind, tenant, time_unix_nano, observed_time_unix_nano, source } = whole;
  const { actor, client, server, session, trace, mcp, environment, pii } = whole;
  return {
    ...{ schema, event_id, kind, tenant, time_unix_nano, observed_time_unix_nano, source },
    ...definedMembers({ actor, client, server, session, trace, mcp, environment, pii }),
  };
}

function part<T extends object>(value: T): T | undefined {
  const kept = definedMembers(value);
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function definedMembers<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
