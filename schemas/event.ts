import { z } from 'zod';
import { change } from './event/change.ts';
import { health } from './event/health.ts';
import { limits } from './event/limits.ts';
import { mcp } from './event/mcp.ts';
import { network } from './event/network.ts';
import { actor, peer } from './event/parties.ts';
import { callArguments, callResult } from './event/payload.ts';
import { policy } from './event/policy.ts';
import { receivedReceipt } from './event/received-receipt.ts';
import { count, found, hex64, id, name, spanId, traceId, unixNano } from './event/scalars.ts';
import { scope } from './event/scope.ts';
import { session } from './event/session.ts';
import { source } from './event/source.ts';
import { supplyChain } from './event/supply-chain.ts';
import { listedTool, tool } from './event/tool.ts';
import { incidentChange } from './incident.ts';
import { policyDocument } from './policy-document.ts';
import { destinationProvenance, tokenSet } from './provenance.ts';
import { sealedFieldsSchema } from './sealed-field.ts';

/**
 * The canonical event, version 1: what one span, log record, audit event or MCP message says about an agent's
 * action, after normalisation and redaction. This is the body of a ledger entry. Absent facts are absent keys, never
 * null or empty strings. Names follow reference conventions of OTel where one exists.
 *
 * 64-bit values are decimal strings. Sizes are bytes. Everything a sender controls is bounded (event/limits.ts).
 */
export const EVENT_SCHEMA = 'custody.event/v1';

/** Tenant ids are part of a log id (one line, slash-separated), hence the strict alphabet. */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export const eventKind = z.enum([
  'tool_call', // one tools/call, by any observer, whole or only the request (see phase)
  'tool_list', // the tools a server offers, with definition digests
  'mcp_message', // any other MCP request, result, error or notification
  'session', // start or end of a session, a tap, a connection
  'plan', // an agent's planning step
  'policy', // a policy evaluation of its own
  'redaction', // a DLP action of its own
  'api_call', // a call to a service behind a tool
  'auth', // an authentication attempt or a grant
  'registry', // a change of a server, tool, zone, limit or policy
  'model', // an inference call, kept as context
  'incident', // a change of an incident: status, assignee, disposition
  'policy_document', // a registry, a set of rules or suppressions comes into force
  'context', // anything else that arrived: kept, not interpreted
]);

/** `request` before the outcome is known, `result` when only the outcome is told, `complete` when both are. */
export const eventPhase = z.enum(['request', 'result', 'complete']);

/** Who vouches for a fact. Detectors must not trust `client_asserted` alone. */
export const factSource = z.enum([
  'client_asserted',
  'server_asserted',
  'gateway_observed',
  'policy_engine',
  'tap_observed',
  'derived',
]);

export const eventSchema = z.strictObject({
  schema: z.literal(EVENT_SCHEMA),
  /** UUID derived from the content (not random), so that a re-sent record has the id it had before. */
  event_id: z.uuid(),
  kind: eventKind,
  phase: eventPhase.optional(),
  tenant: z.string().regex(TENANT_PATTERN),
  /** When it happened according to the sender; start of the span. */
  time_unix_nano: unixNano,
  /** When it ended according to the sender. */
  end_time_unix_nano: unixNano.optional(),
  /** When the collector received it. The append time is the log's and lives in the ledger entry. */
  observed_time_unix_nano: unixNano,
  source,
  trace: z
    .strictObject({
      trace_id: traceId.optional(),
      span_id: spanId.optional(),
      parent_span_id: spanId.optional(),
    })
    .optional(),
  actor: actor.optional(),
  client: peer.optional(),
  server: peer.optional(),
  tool: tool.optional(),
  /** For kind tool_list: digest of each definition, by tool name. */
  tool_definitions: z.record(name, hex64).optional(),
  /** For kind tool_list: the parts of each definition, by tool name. */
  listed_tools: z.record(name, listedTool).optional(),
  mcp: mcp.optional(),
  session: session.optional(),
  arguments: callArguments.optional(),
  result: callResult.optional(),
  /** What the agent was asked to do, as fingerprints of its words: prompt, plan or intent. */
  intent: z.strictObject({ tokens: tokenSet }).optional(),
  /** Hosts and addresses found in arguments and attributes, lower case, without port, deduplicated, in order of appearance. */
  destinations: z.array(name).max(limits.destinations).optional(),
  /** What the collector knows of where a destination came from; the engine looks up the others. */
  destination_origins: z.array(destinationProvenance).max(limits.destinations).optional(),
  scope: scope.optional(),
  policy: policy.optional(),
  pii: z
    .strictObject({
      /** Count the sender reported. */
      count: count.optional(),
      /** What our own redaction replaced before the first durable write, by type. */
      redactions: found.optional(),
    })
    .optional(),
  /** A receipt that came signed by a gateway; what the event says was taken from it. */
  receipt: receivedReceipt.optional(),
  idempotency_key: id.optional(),
  /** How many things the call is about: rows, records, recipients. */
  item_count: count.optional(),
  /** Where the connection was made, as the transport saw it. */
  network: network.optional(),
  /** What a server is made of, as its scanner or package manager told. */
  supply_chain: supplyChain.optional(),
  /** For kind registry: what changed. `policy` says who approved it. */
  change: change.optional(),
  /** What a component says of its own state. */
  health: health.optional(),
  retry_count: count.optional(),
  plan_depth: count.optional(),
  cost: z
    .strictObject({
      input_tokens: count.optional(),
      output_tokens: count.optional(),
      usd: z.number().nonnegative().optional(),
    })
    .optional(),
  environment: name.optional(),
  /** For kind incident. */
  incident: incidentChange.optional(),
  /** For kind policy_document: what the detectors of this partition go by from here on. */
  policy_document: policyDocument.optional(),
  /** Who vouches for which identity fact, keyed by its path here, such as `actor.id`. */
  fact_sources: z.record(z.string().max(64), factSource).optional(),
  /** What no mapping knows, redacted; bounded. */
  attributes: z
    .record(
      z.string().max(limits.attributeKeyChars),
      z.union([z.string().max(limits.attributeValueChars), z.number(), z.boolean()]),
    )
    .optional(),
  /** How many attributes did not fit. */
  attributes_dropped: count.optional(),
  /** Members that only the holder of their subject's key can read, by their path; the collector makes them. */
  sealed: sealedFieldsSchema.optional(),
});

export type CustodyEvent = z.infer<typeof eventSchema>;
export type EventKind = z.infer<typeof eventKind>;
export type FactSource = z.infer<typeof factSource>;
