import type { Dialect } from '../dialect.ts';

/** Codex: OTLP log records. */
export const codex: Dialect = {
  id: 'codex',
  recognise: { namePrefixes: ['codex.'], services: ['codex_cli_rs'] },
  fields: {},
  localFields: {
    name: ['event.name'],
    prompt: ['prompt'],
    toolName: ['tool_name'],
    serverName: ['mcp_server', 'mcp_server_name'],
    callId: ['call_id'],
    arguments: ['arguments'],
    result: ['output'],
    success: ['success'],
    decision: ['decision'],
    rule: ['source'],
    userId: ['user.account_id', 'user.email'],
    credentialClass: ['auth_mode'],
    inputTokens: ['input_token_count'],
    outputTokens: ['output_token_count'],
    ignored: ['event.timestamp'],
  },
  names: [
    { name: 'codex.tool_result', kind: 'tool_call', phase: 'result' },
    { name: 'codex.tool_decision', kind: 'policy' },
    { name: 'codex.api_request', kind: 'model' },
    { name: 'codex.sse_event', kind: 'model' },
    { name: 'codex.conversation_starts', kind: 'session', transition: 'start' },
  ],
  vantage: 'agent',
};
