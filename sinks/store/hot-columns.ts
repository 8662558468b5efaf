/**
 * The derived (MATERIALIZED) columns of `custody.entries`: what analysts filter by, computed from the body by the
 * engine and never supplied by a writer. They are a convenience and no evidence; verification recomputes each of
 * them from the body with the expressions below, not with those the server's table happens to hold.
 */
export interface HotColumn {
  readonly name: string;
  readonly type: string;
  /** SQL for the value; `parsed` is the SQL of the parsed body (`PARSED_BODY`, or an alias of it). */
  readonly expression: (parsed: string) => string;
  readonly comment: string;
}

/** Every path the columns read, once: the engine parses the body a single time per block. */
const SHAPE = [
  'event_id String',
  'kind String',
  'phase String',
  'time_unix_nano String',
  'source Tuple(collector String, dialect String)',
  'actor Tuple(id String, type String, user_id String, runtime_id String)',
  'client Tuple(name String)',
  'server Tuple(name String, version String)',
  'tool Tuple(name String, call_id String, action String)',
  'session Tuple(key String, source String)',
  'policy Tuple(decision String, rule String, ticket String)',
  'arguments Tuple(digest String, size_bytes UInt64)',
  'result Tuple(category String, size_bytes UInt64)',
  'destinations Array(String)',
  'scope Tuple(grants Array(String), ttl_sec UInt64)',
  'trace Tuple(trace_id String, span_id String)',
  'pii Tuple(`count` UInt64, redactions Map(String, UInt64))',
  'idempotency_key String',
  'alert_id String',
  'detector Tuple(id String)',
  'severity String',
  'score Float64',
  'title String',
  'session_key String',
  'trace_id String',
  'actor_id String',
  'user_id String',
  'server_name String',
  'tool_name String',
  'policy_decision String',
].join(', ');

export const PARSED_BODY = `JSONExtract(body, 'Tuple(${SHAPE})')`;

type Expression = (parsed: string) => string;

/** Reads one path of the body, such as `tool.name`. */
function at(path: string): Expression {
  return (parsed) => path.split('.').reduce((inner, part) => `tupleElement(${inner}, '${part}')`, parsed);
}

/** Alerts name flat what events nest; a body has one of the two. */
function either(eventPath: string, alertPath: string): Expression {
  const event = at(eventPath);
  const alert = at(alertPath);
  return (parsed) => `if(${event(parsed)} = '', ${alert(parsed)}, ${event(parsed)})`;
}

/**
 * DateTime64(6) holds 1900..2299 without overflow; a sender's clock beyond 2199 is shown as its last microsecond. An
 * event may carry 20 digits, which 64 bits do not hold.
 */
const MAX_UNIX_MICRO = 7_258_118_399_999_999n;

const word = 'LowCardinality(String)';
const column = (name: string, type: string, expression: Expression, comment: string): HotColumn => ({
  name,
  type,
  expression,
  comment,
});

export const hotColumns: readonly HotColumn[] = [
  column('event_id', 'String', at('event_id'), 'Content-derived id of the event; empty for alerts'),
  column('event_kind', word, at('kind'), 'tool_call, tool_list, session, plan, policy, auth, ...'),
  column('phase', word, at('phase'), 'request, result or complete'),
  column(
    'event_time',
    "DateTime64(6, 'UTC')",
    (parsed) =>
      `fromUnixTimestamp64Micro(toInt64(least(intDiv(toUInt128OrZero(${at('time_unix_nano')(parsed)}), 1000), ${MAX_UNIX_MICRO})), 'UTC')`,
    "The sender's time, cut to microseconds, never shown as later than 2199",
  ),
  column('actor_id', word, either('actor.id', 'actor_id'), 'The agent, or whoever acts'),
  column('actor_type', word, at('actor.type'), 'agent, human, service or unknown'),
  column('user_id', word, either('actor.user_id', 'user_id'), 'The human on whose behalf'),
  column('runtime_id', word, at('actor.runtime_id'), 'Service account, host or process that runs the agent'),
  column('client_name', word, at('client.name'), 'MCP client'),
  column('server_name', word, either('server.name', 'server_name'), 'MCP server'),
  column('server_version', word, at('server.version'), 'Version the MCP server reports'),
  column('tool_name', word, either('tool.name', 'tool_name'), 'Tool, without a gateway prefix'),
  column('tool_action', word, at('tool.action'), 'read, write, execute, egress, session or unknown'),
  column('tool_call_id', 'String', at('tool.call_id'), 'Joins request and result of one call'),
  column('session_key', 'String', either('session.key', 'session_key'), 'Groups what one agent task did'),
  column('session_source', word, at('session.source'), 'What the session key was taken from'),
  column('policy_decision', word, either('policy.decision', 'policy_decision'), 'What was enforced'),
  column('policy_rule', word, at('policy.rule'), 'Rule that decided'),
  column('ticket', 'String', at('policy.ticket'), 'Change or approval ticket'),
  column('result_category', word, at('result.category'), 'ok, error, tool_error, denied, timeout, ...'),
  column('arguments_bytes', 'UInt64', at('arguments.size_bytes'), 'Size of the arguments on the wire'),
  column('result_bytes', 'UInt64', at('result.size_bytes'), 'Size of the result on the wire'),
  column('arguments_digest', 'String', at('arguments.digest'), 'HMAC-SHA256 of the canonical arguments'),
  column('destinations', 'Array(String)', at('destinations'), 'Hosts found in arguments and attributes'),
  column('grants', 'Array(String)', at('scope.grants'), 'Scopes the credential carried'),
  column('scope_ttl_sec', 'UInt64', at('scope.ttl_sec'), 'Lifetime of the credential, 0 = unknown'),
  column('trace_id', 'String', either('trace.trace_id', 'trace_id'), 'W3C trace id'),
  column('span_id', 'String', at('trace.span_id'), 'W3C span id'),
  column('pii_count', 'UInt64', at('pii.count'), 'PII findings the sender reported'),
  column(
    'redaction_count',
    'UInt64',
    (parsed) => `arraySum(mapValues(${at('pii.redactions')(parsed)}))`,
    'Values this pipeline redacted before the first durable write',
  ),
  column('idempotency_key', 'String', at('idempotency_key'), 'Key the caller set for safe repetition'),
  column('dialect', word, at('source.dialect'), 'Mapping table that read the input'),
  column('collector', word, at('source.collector'), 'otlp_http, otlp_grpc, audit_http or mcp_stdio_tap'),
  column('alert_id', 'String', at('alert_id'), 'Stable id of an alert; empty for events'),
  column('detector_id', word, at('detector.id'), 'Detector that raised the alert'),
  column('severity', word, at('severity'), 'info, low, medium, high or critical'),
  column('score', 'Float64', at('score'), "The detector's score in [0, 1]"),
  column('title', 'String', at('title'), 'Title of the alert'),
];
