import { z } from 'zod';
import { incidentChange } from './incident.ts';
import { policyDocument } from './policy-document.ts';
import { destinationProvenance, tokenSet, valueProvenance } from './provenance.ts';
import { sealedFieldsSchema } from './sealed-field.ts';

/**
 * The canonical event, version 1: what one span, log record, audit event or MCP message says about an agent's
 * action, after normalisation and redaction. This is the body of a ledger entry. Absent facts are absent keys, never
 * null or empty strings. Names follow reference conventions of OTel where one exists.
 *
 * 64-bit values are decimal strings. Sizes are bytes. Everything a sender controls is bounded (see `limits`).
 */
export const EVENT_SCHEMA = 'custody.event/v1';

/** Bounds on what one event may hold; the normaliser truncates or drops beyond them and counts what it cut. */
export const limits = {
  idChars: 256,
  nameChars: 256,
  summaryChars: 2048,
  attributeCount: 64,
  attributeKeyChars: 128,
  attributeValueChars: 1024,
  destinations: 32,
  grants: 128,
  tenantChars: 63,
  receiptChars: 96 * 1024,
  values: 64,
  valuePathChars: 128,
  /** Distinct words of one text whose fingerprints are kept. */
  tokens: 1024,
  listedTools: 1024,
  descriptionChars: 512,
} as const;

/** Tenant ids are part of a log id (one line, slash-separated), hence the strict alphabet. */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

const id = z.string().min(1).max(limits.idChars);
const name = z.string().min(1).max(limits.nameChars);
const count = z.int().nonnegative();
const unixNano = z.string().regex(/^\d{1,20}$/);
/** Ids of W3C Trace Context, as OTLP JSON writes them. */
export const traceId = z.string().regex(/^[0-9a-f]{32}$/);
export const spanId = z.string().regex(/^[0-9a-f]{16}$/);
const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

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

export const actionClass = z.enum(['read', 'write', 'execute', 'egress', 'session', 'unknown']);
export const sizeSource = z.enum(['payload', 'attribute', 'truncated_payload']);
export const resultCategory = z.enum([
  'ok',
  'error',
  'tool_error',
  'denied',
  'rate_limited',
  'timeout',
  'cancelled',
  'input_required',
  'unknown',
]);
export const policyDecision = z.enum(['allow', 'deny', 'redact', 'ask', 'warn', 'unknown']);

/** How often something was found, by its name. */
const found = z.record(z.string().max(64), count);

/** Arguments or result of a call: never the value itself, but what may be kept of it. */
const payload = z.strictObject({
  /** Redacted, truncated JSON or text for a human. Hostile text: escape wherever it is shown. */
  summary: z.string().max(limits.summaryChars).optional(),
  /** HMAC-SHA256 under the deployment's digest key over the canonical JSON (RFC 8785) of the value before redaction. */
  digest: hex64.optional(),
  /** Size of the value on the wire, in bytes. */
  size_bytes: count.optional(),
  size_source: sizeSource.optional(),
  /** Secrets and personal data in the value before redaction, by type. */
  findings: found.optional(),
  /** Forms that attacks have (path traversal, a metadata address, an instruction to the model …), by name. */
  shapes: found.optional(),
});

/** MCP tool annotations: the server's own word. They raise a class, never lower it. */
const annotations = z.strictObject({
  read_only: z.boolean().optional(),
  destructive: z.boolean().optional(),
  idempotent: z.boolean().optional(),
  open_world: z.boolean().optional(),
});

/** A tool as its server lists it: digests of its parts, so that a change can be named, and what a person reads of it. */
const listedTool = z.strictObject({
  description_digest: hex64.optional(),
  /** Of `inputSchema` and `outputSchema`. */
  schema_digest: hex64.optional(),
  annotations_digest: hex64.optional(),
  annotations: annotations.optional(),
  /** Redacted and cut. Hostile text: escape wherever it is shown. */
  description: z.string().max(limits.descriptionChars).optional(),
  /** Names of the input schema's properties. */
  properties: z.array(z.string().max(limits.valuePathChars)).max(64).optional(),
  /** Forms of attack in the description and the schema, by name. */
  shapes: found.optional(),
});

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
  source: z.strictObject({
    /** `pipeline`: made by the pipeline itself, from no sender. */
    collector: z.enum(['otlp_http', 'otlp_grpc', 'audit_http', 'mcp_stdio_tap', 'pipeline']),
    signal: z.enum(['span', 'log', 'audit', 'mcp']),
    /** Mapping table that read it. */
    dialect: z.string().max(64),
    vantage: z.enum(['client', 'server', 'gateway', 'agent', 'tap', 'unknown']),
    /** Span name, log event name or MCP method as received. */
    name: name.optional(),
    /** Instrumentation scope. */
    scope: name.optional(),
    /** Sender's own sequence number, for gap detection. */
    sequence: z
      .string()
      .regex(/^\d{1,20}$/)
      .optional(),
    sampled: z.boolean().optional(),
  }),
  trace: z
    .strictObject({
      trace_id: traceId.optional(),
      span_id: spanId.optional(),
      parent_span_id: spanId.optional(),
    })
    .optional(),
  actor: z
    .strictObject({
      /** The agent, or whoever acts. */
      id: id.optional(),
      type: z.enum(['agent', 'human', 'service', 'unknown']).optional(),
      /** The human on whose behalf. */
      user_id: id.optional(),
      /** Service account, host or process that runs the agent. */
      runtime_id: id.optional(),
    })
    .optional(),
  client: z
    .strictObject({ name: name.optional(), version: name.optional(), address: name.optional() })
    .optional(),
  server: z
    .strictObject({ name: name.optional(), version: name.optional(), address: name.optional() })
    .optional(),
  tool: z
    .strictObject({
      /** Without the prefix an aggregating gateway adds. */
      name: name.optional(),
      /** As received, when it differs. */
      raw_name: name.optional(),
      call_id: id.optional(),
      /** SHA-256 over the canonical JSON (RFC 8785) of the tool definition as listed by the server. */
      definition_digest: hex64.optional(),
      action: actionClass.optional(),
      annotations: annotations.optional(),
    })
    .optional(),
  /** For kind tool_list: digest of each definition, by tool name. */
  tool_definitions: z.record(name, hex64).optional(),
  /** For kind tool_list: the parts of each definition, by tool name. */
  listed_tools: z.record(name, listedTool).optional(),
  mcp: z
    .strictObject({
      method: name.optional(),
      request_id: id.optional(),
      protocol_version: z.string().max(64).optional(),
      session_id: id.optional(),
      transport: z.enum(['stdio', 'http', 'sse', 'unknown']).optional(),
      direction: z.enum(['client_to_server', 'server_to_client']).optional(),
      /** The request carries `requestState` or `inputResponses`: a legal multi-round-trip retry, not a repetition. */
      continuation: z.boolean().optional(),
    })
    .optional(),
  session: z
    .strictObject({
      key: id,
      source: z.enum([
        'conversation_id',
        'agent_session',
        'mcp_session',
        'turn_id',
        'trace_root',
        'tap',
        'synthetic',
      ]),
      /** How sure we are that this key groups one agent task: high = named by the agent, low = inferred. */
      confidence: z.enum(['high', 'medium', 'low']),
      /** For kind session. */
      transition: z.enum(['start', 'end']).optional(),
    })
    .optional(),
  arguments: payload
    .extend({
      /** Names of the top-level members, sorted. */
      keys: z.array(z.string().max(limits.valuePathChars)).max(limits.values).optional(),
      /** The values in it, without the values. */
      values: z.array(valueProvenance).max(limits.values).optional(),
    })
    .optional(),
  result: payload
    .extend({
      category: resultCategory.optional(),
      code: z.string().max(64).optional(),
      /** Fingerprints of its words: later arguments are looked up in them. */
      tokens: tokenSet.optional(),
      line_count: count.optional(),
    })
    .optional(),
  /** What the agent was asked to do, as fingerprints of its words: prompt, plan or intent. */
  intent: z.strictObject({ tokens: tokenSet }).optional(),
  /** Hosts and addresses found in arguments and attributes, lower case, without port, deduplicated, in order of appearance. */
  destinations: z.array(name).max(limits.destinations).optional(),
  /** What the collector knows of where a destination came from; the engine looks up the others. */
  destination_origins: z.array(destinationProvenance).max(limits.destinations).optional(),
  scope: z
    .strictObject({
      grants: z.array(name).max(limits.grants).optional(),
      ttl_sec: count.optional(),
      credential_class: name.optional(),
      /** HMAC of the token id, never the id. */
      token_digest: hex64.optional(),
      /** Whom the token was issued for (`aud`, RFC 8707 `resource`). */
      audience: name.optional(),
      /** How old the credential is. */
      age_sec: count.optional(),
    })
    .optional(),
  policy: z
    .strictObject({
      /** What was enforced. */
      decision: policyDecision.optional(),
      /** What the policy said, when it differs from what was enforced. */
      verdict: policyDecision.optional(),
      rule: name.optional(),
      reason: z.string().max(1024).optional(),
      version: name.optional(),
      /** Change or approval ticket. */
      ticket: name.optional(),
      approver: id.optional(),
    })
    .optional(),
  pii: z
    .strictObject({
      /** Count the sender reported. */
      count: count.optional(),
      /** What our own redaction replaced before the first durable write, by type. */
      redactions: z.record(z.string().max(64), count).optional(),
    })
    .optional(),
  /** A receipt that came signed by a gateway; what the event says was taken from it. */
  receipt: z
    .strictObject({
      /** The DSSE envelope with payload and signatures as they came (docs/spec/receipt.md). */
      envelope: z.string().max(limits.receiptChars),
      receipt_id: z.uuid(),
      /** Who it says issued it. */
      issuer: name,
      /** What its signature was worth when it was received; `unknown_key`: of nobody we know, so it counts for nothing. */
      signature: z.enum(['verified', 'bad', 'unknown_key', 'not_checked']),
    })
    .optional(),
  idempotency_key: id.optional(),
  /** How many things the call is about: rows, records, recipients. */
  item_count: count.optional(),
  /** Where the connection was made, as the transport saw it. */
  network: z
    .strictObject({
      /** Address a server listens on. */
      bind_address: name.optional(),
      /** HTTP `Origin` and `Host` as received. */
      origin: name.optional(),
      host: name.optional(),
      peer_address: name.optional(),
    })
    .optional(),
  /** What a server is made of, as its scanner or package manager told. */
  supply_chain: z
    .strictObject({
      package: name.optional(),
      package_version: name.optional(),
      lockfile_digest: z.string().max(128).optional(),
      signature: z.enum(['verified', 'unsigned', 'bad', 'unknown']).optional(),
      critical_count: count.optional(),
      deprecated: z.boolean().optional(),
    })
    .optional(),
  /** For kind registry: what changed. `policy` says who approved it. */
  change: z
    .strictObject({
      item_type: z.enum([
        'server',
        'tool',
        'client',
        'agent',
        'zone',
        'limit',
        'endpoint',
        'policy',
        'config',
      ]),
      item: name,
      field: name.optional(),
      /** Redacted. */
      before: z.string().max(1024).optional(),
      after: z.string().max(1024).optional(),
    })
    .optional(),
  /** What a component says of its own state. */
  health: z
    .strictObject({
      component: name,
      status: z.enum(['ok', 'degraded', 'failing', 'down']).optional(),
      queue_depth: count.optional(),
      dependency: name.optional(),
    })
    .optional(),
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
