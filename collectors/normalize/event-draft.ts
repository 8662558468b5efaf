import type { CustodyEvent } from '../../schemas/event.ts';

/** An event being built: every member is named, absent ones are undefined. Fields are sealed when it is whole. */
export type EventDraft = {
  readonly [K in Exclude<keyof CustodyEvent, 'sealed' | 'receipt' | NotCollected>]-?:
    CustodyEvent[K] | undefined;
} & Pick<CustodyEvent, 'sealed' | 'receipt'>;
/** What people decide comes into a log by their own commands, never from a sender. */
type NotCollected = 'incident' | 'policy_document';
type Mutable = { -readonly [K in keyof CustodyEvent]?: CustodyEvent[K] };

/**
 * The event without its absent members, in key order, so that encoding needs no sorting. Written out member by member: an
 * object of this size filled by computed keys becomes a hash table, and its encoding twice as slow.
 */
export function finishEvent(draft: EventDraft & Pick<CustodyEvent, RequiredKeys>): CustodyEvent {
  const event: Mutable = {};
  if (draft.actor !== undefined) event.actor = draft.actor;
  if (draft.arguments !== undefined) event.arguments = draft.arguments;
  if (draft.attributes !== undefined) event.attributes = draft.attributes;
  if (draft.attributes_dropped !== undefined) event.attributes_dropped = draft.attributes_dropped;
  if (draft.change !== undefined) event.change = draft.change;
  if (draft.client !== undefined) event.client = draft.client;
  if (draft.cost !== undefined) event.cost = draft.cost;
  if (draft.destination_origins !== undefined) event.destination_origins = draft.destination_origins;
  if (draft.destinations !== undefined) event.destinations = draft.destinations;
  if (draft.end_time_unix_nano !== undefined) event.end_time_unix_nano = draft.end_time_unix_nano;
  if (draft.environment !== undefined) event.environment = draft.environment;
  event.event_id = draft.event_id;
  if (draft.fact_sources !== undefined) event.fact_sources = draft.fact_sources;
  if (draft.health !== undefined) event.health = draft.health;
  if (draft.idempotency_key !== undefined) event.idempotency_key = draft.idempotency_key;
  if (draft.intent !== undefined) event.intent = draft.intent;
  if (draft.item_count !== undefined) event.item_count = draft.item_count;
  event.kind = draft.kind;
  if (draft.listed_tools !== undefined) event.listed_tools = draft.listed_tools;
  if (draft.mcp !== undefined) event.mcp = draft.mcp;
  if (draft.network !== undefined) event.network = draft.network;
  event.observed_time_unix_nano = draft.observed_time_unix_nano;
  if (draft.phase !== undefined) event.phase = draft.phase;
  if (draft.pii !== undefined) event.pii = draft.pii;
  if (draft.plan_depth !== undefined) event.plan_depth = draft.plan_depth;
  if (draft.policy !== undefined) event.policy = draft.policy;
  if (draft.receipt !== undefined) event.receipt = draft.receipt;
  if (draft.result !== undefined) event.result = draft.result;
  if (draft.retry_count !== undefined) event.retry_count = draft.retry_count;
  event.schema = draft.schema;
  if (draft.scope !== undefined) event.scope = draft.scope;
  if (draft.sealed !== undefined) event.sealed = draft.sealed;
  if (draft.server !== undefined) event.server = draft.server;
  if (draft.session !== undefined) event.session = draft.session;
  event.source = draft.source;
  if (draft.supply_chain !== undefined) event.supply_chain = draft.supply_chain;
  event.tenant = draft.tenant;
  event.time_unix_nano = draft.time_unix_nano;
  if (draft.tool !== undefined) event.tool = draft.tool;
  if (draft.tool_definitions !== undefined) event.tool_definitions = draft.tool_definitions;
  if (draft.trace !== undefined) event.trace = draft.trace;
  return event as CustodyEvent;
}

type RequiredKeys =
  'event_id' | 'kind' | 'observed_time_unix_nano' | 'schema' | 'source' | 'tenant' | 'time_unix_nano';
