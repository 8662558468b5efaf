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
  'idempotentHint',
  'openWorldHint',
  'definitionDigest',
  'itemCount',
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
  // where the connection was made
  'bindAddress',
  'httpOrigin',
  'httpHost',
  'peerAddress',
  // what the agent was asked
  'prompt',
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
  'audience',
  'tokenAgeSec',
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
  // what a server is made of
  'packageName',
  'packageVersion',
  'lockfileDigest',
  'packageSignature',
  'criticalCount',
  'deprecated',
  // what changed
  'changeItemType',
  'changeItem',
  'changeField',
  'changeBefore',
  'changeAfter',
  // how a component is
  'healthComponent',
  'healthStatus',
  'queueDepth',
  'dependency',
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
