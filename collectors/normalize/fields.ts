/** The facts a mapping table can name, before they are shaped into an event. */
export const FIELDS = [
  // what happened
  'method',
  'operation',
  'spanKind',
  'kind',
  'vantage',
  'phase',
  'name',
  'time',
  'endTime',
  'traceId',
  'spanId',
  'parentSpanId',
  'sequence',
  // tool
  'toolName',
  'callId',
  'arguments',
  'result',
  'action',
  'readOnlyHint',
  'destructiveHint',
  'definitionDigest',
  // who
  'actorId',
  'actorType',
  'userId',
  'runtimeId',
  'clientName',
  'clientVersion',
  'clientAddress',
  'serverName',
  'serverVersion',
  'serverAddress',
  'url',
  'destination',
  // MCP
  'requestId',
  'protocolVersion',
  'mcpSessionId',
  'transport',
  'direction',
  'continuation',
  // session
  'conversationId',
  'agentSessionId',
  'turnId',
  'transition',
  // scope and policy
  'grants',
  'ttlSec',
  'credentialClass',
  'tokenId',
  'decision',
  'verdict',
  'rule',
  'reason',
  'policyVersion',
  'ticket',
  'approver',
  // outcome
  'errorType',
  'rpcStatus',
  'httpStatus',
  'success',
  'isError',
  'status',
  'argumentsBytes',
  'resultBytes',
  // counters and the rest
  'piiCount',
  'idempotencyKey',
  'retryCount',
  'planDepth',
  'inputTokens',
  'outputTokens',
  'usd',
  'environment',
  'tenant',
  'httpMethod',
  'ignored',
] as const;

export type Field = (typeof FIELDS)[number];

export const FIELD_COUNT = FIELDS.length;

/** Place of each field in an array of values. */
export const F = Object.fromEntries(FIELDS.map((field, index) => [field, index])) as Readonly<
  Record<Field, number>
>;
