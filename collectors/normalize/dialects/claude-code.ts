import type { Dialect } from '../dialect.ts';

/** Claude Code: OTLP log records; decisions and sizes are told only here. */
export const claudeCode: Dialect = {
  id: 'claude-code',
  recognise: {
    namePrefixes: ['claude_code.'],
    scopes: ['com.anthropic.claude_code'],
    services: ['claude-code'],
  },
  fields: { userId: ['user.account_uuid', 'user.account_id'] },
  localFields: {
    name: ['event.name'],
    prompt: ['prompt'],
    toolName: ['mcp_tool_name', 'tool_name'],
    serverName: ['mcp_server_name', 'server_name'],
    callId: ['tool_use_id'],
    arguments: ['tool_input', 'tool_parameters'],
    resultBytes: ['tool_result_size_bytes'],
    argumentsBytes: ['tool_input_size_bytes'],
    success: ['success'],
    status: ['status'],
    errorType: ['error_type', 'error_code', 'error'],
    decision: ['decision', 'decision_type'],
    rule: ['source', 'decision_source'],
    turnId: ['prompt.id'],
    inputTokens: ['input_tokens'],
    outputTokens: ['output_tokens'],
    usd: ['cost_usd'],
    transport: ['transport_type'],
    ignored: ['event.timestamp'],
  },
  names: [
    { name: 'claude_code.tool_result', kind: 'tool_call', phase: 'result' },
    { name: 'claude_code.tool_decision', kind: 'policy' },
    { name: 'claude_code.mcp_server_connection', kind: 'registry' },
    { name: 'claude_code.permission_mode_changed', kind: 'registry' },
    { name: 'claude_code.api_request', kind: 'model' },
    { name: 'claude_code.api_error', kind: 'model' },
    { name: 'claude_code.auth', kind: 'auth' },
  ],
  vantage: 'agent',
};
