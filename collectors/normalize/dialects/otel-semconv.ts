import type { Dialect } from '../dialect.ts';

/** Events that hold one message of a conversation, or all of one inference. */
const MESSAGE_EVENTS = [
  ...['gen_ai.user.message', 'gen_ai.system.message', 'gen_ai.assistant.message', 'gen_ai.tool.message'],
  ...['gen_ai.choice', 'gen_ai.client.inference.operation.details'],
];

/**
 * OpenTelemetry semantic conventions for MCP and generative AI, with the open proposals on guardrails, decisions, approvals and
 * threat detection as aliases.
 */
export const otelSemconv: Dialect = {
  id: 'otel-semconv',
  recognise: {
    attributes: ['mcp.method.name', 'gen_ai.operation.name', 'gen_ai.tool.name'],
    scopes: ['mcp-python-sdk', 'Experimental.ModelContextProtocol'],
    namePrefixes: [
      'MCP send ',
      'execute_tool ',
      'invoke_agent',
      'run_guardrail',
      'apply_guardrail',
      'execute_authorization',
    ],
    names: MESSAGE_EVENTS,
  },
  fields: {
    method: ['mcp.method.name', 'mcp.method', 'rpc.method'],
    operation: ['gen_ai.operation.name'],
    toolName: ['gen_ai.tool.name'],
    callId: ['gen_ai.tool.call.id'],
    arguments: ['gen_ai.tool.call.arguments', 'mcp.tool.arguments'],
    result: ['gen_ai.tool.call.result'],
    actorId: ['gen_ai.agent.id', 'gen_ai.agent.name'],
    userId: ['user.id', 'enduser.id', 'user.email', 'user.name'],
    clientName: ['mcp.client.name', 'user_agent.original'],
    clientVersion: ['mcp.client.version'],
    clientAddress: ['client.address', 'net.peer.ip'],
    serverName: ['mcp.server.name'],
    serverVersion: ['mcp.server.version'],
    serverAddress: ['server.address', 'net.peer.name', 'http.host', 'peer.service'],
    url: ['url.full', 'http.url'],
    httpOrigin: ['http.request.header.origin'],
    httpHost: ['http.request.header.host'],
    peerAddress: ['network.peer.address', 'net.sock.peer.addr'],
    prompt: ['gen_ai.input.messages', 'gen_ai.prompt', 'gen_ai.request.messages', 'llm.prompts'],
    itemCount: ['db.response.returned_rows', 'messaging.batch.message_count'],
    requestId: ['jsonrpc.request.id', 'mcp.request.id'],
    protocolVersion: ['mcp.protocol.version'],
    mcpSessionId: ['mcp.session.id'],
    transport: ['network.transport', 'mcp.transport'],
    conversationId: ['gen_ai.conversation.id'],
    agentSessionId: ['session.id', 'conversation.id'],
    turnId: ['io.modelcontextprotocol/aiInvocation.turnId', 'gen_ai.turn.id', 'prompt.id'],
    errorType: ['error.type', 'exception.type'],
    rpcStatus: ['rpc.response.status_code', 'rpc.jsonrpc.error_code', 'mcp.error.code'],
    httpStatus: ['http.response.status_code', 'http.status_code'],
    httpMethod: ['http.request.method', 'http.method'],
    isError: ['mcp.tool.result.is_error'],
    argumentsBytes: ['http.request.body.size', 'messaging.message.body.size'],
    resultBytes: ['http.response.body.size'],
    inputTokens: ['gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens'],
    outputTokens: ['gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens'],
    environment: ['deployment.environment.name', 'deployment.environment'],
    grants: ['enduser.scope', 'oauth.scope'],
    audience: ['oauth.audience', 'oauth.resource_indicator'],
    decision: [
      ...['gen_ai.guardrail.action.type', 'agent.threat.detection.action', 'gen_ai.agent.decision.outcome'],
      ...['gen_ai.mcp.tool.approval.status', 'gen_ai.agent.tool.disposition'],
    ],
    verdict: ['gen_ai.guardrail.verdict.type'],
    rule: [
      ...['gen_ai.guardrail.security.policy.rule.id', 'gen_ai.guardrail.security.policy.id'],
      ...[
        'agent.threat.detection.rule_id',
        'gen_ai.agent.authorization.policy.name',
        'gen_ai.agent.governance.ref',
      ],
      ...['gen_ai.guardrail.component.name'],
    ],
    reason: ['gen_ai.guardrail.verdict.reason'],
    policyVersion: ['gen_ai.agent.authorization.policy.version', 'agent.threat.detection.ruleset'],
    approver: ['gen_ai.mcp.tool.approval.approver_id'],
  },
  // The content of a message event; whose message it is, the event's name tells.
  localFields: { prompt: ['gen_ai.event.content', 'content'] },
  names: [
    ...MESSAGE_EVENTS.map((name) => ({ name, kind: 'model' as const })),
    { name: 'execute_tool ', match: 'prefix', kind: 'tool_call', vantage: 'agent', toolInName: true },
    { name: 'tools/call ', match: 'prefix', kind: 'tool_call', toolInName: true },
    { name: 'MCP send tools/call ', match: 'prefix', kind: 'tool_call', vantage: 'client', toolInName: true },
    { name: 'run_guardrail', match: 'prefix', kind: 'policy' },
    { name: 'apply_guardrail', match: 'prefix', kind: 'policy' },
    { name: 'execute_authorization', match: 'prefix', kind: 'policy' },
    { name: 'plan ', match: 'prefix', kind: 'plan', vantage: 'agent' },
  ],
  kinds: {
    execute_tool: 'tool_call',
    plan: 'plan',
    chat: 'model',
    text_completion: 'model',
    generate_content: 'model',
    embeddings: 'model',
    run_guardrail: 'policy',
    apply_guardrail: 'policy',
    execute_authorization: 'policy',
  },
};
