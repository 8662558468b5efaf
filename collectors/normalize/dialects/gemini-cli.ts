import type { Dialect } from '../dialect.ts';

/** Gemini CLI: OTLP log records. */
export const geminiCli: Dialect = {
  id: 'gemini-cli',
  recognise: { namePrefixes: ['gemini_cli.'], services: ['gemini-cli'] },
  fields: {},
  localFields: {
    name: ['event.name'],
    prompt: ['prompt'],
    toolName: ['function_name'],
    serverName: ['mcp_server_name'],
    arguments: ['function_args'],
    resultBytes: ['content_length'],
    success: ['success'],
    errorType: ['error_type', 'error'],
    decision: ['decision'],
    turnId: ['prompt_id'],
    inputTokens: ['input_token_count'],
    outputTokens: ['output_token_count'],
    ignored: ['event.timestamp'],
  },
  names: [
    { name: 'gemini_cli.tool_call', kind: 'tool_call', phase: 'complete' },
    { name: 'gemini_cli.api_request', kind: 'model' },
    { name: 'gemini_cli.api_response', kind: 'model' },
    { name: 'gemini_cli.config', kind: 'session', transition: 'start' },
  ],
  vantage: 'agent',
};
