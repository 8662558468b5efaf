import type { Dialect } from '../dialect.ts';

/** OpenLLMetry (Traceloop): names end in `.tool` and `.mcp`; the server's name is the workflow's. */
export const openllmetry: Dialect = {
  id: 'openllmetry',
  recognise: {
    attributes: ['traceloop.span.kind', 'traceloop.entity.name', 'traceloop.workflow.name'],
    scopes: ['opentelemetry.instrumentation.mcp'],
    names: ['mcp.client.session', 'mcp.server', 'ResponseStreamWriter'],
  },
  fields: {
    spanKind: ['traceloop.span.kind'],
    arguments: ['traceloop.entity.input'],
    result: ['traceloop.entity.output', 'mcp.response.value'],
    userId: ['traceloop.association.properties.user_id'],
    agentSessionId: ['traceloop.association.properties.session_id'],
  },
  localFields: {
    toolName: ['traceloop.entity.name'],
    serverName: ['traceloop.workflow.name'],
    ignored: ['traceloop.entity.path'],
  },
  names: [
    { name: 'tools/call.mcp', kind: 'tool_call' },
    { name: 'tools/list.mcp', kind: 'tool_list' },
    { name: '.tool', match: 'suffix', kind: 'tool_call', toolInName: true },
    { name: '.mcp', match: 'suffix', kind: 'mcp_message' },
    { name: 'mcp.client.session', kind: 'session', vantage: 'client', transition: 'end' },
    { name: 'mcp.server', kind: 'session', vantage: 'server', transition: 'end' },
  ],
  kinds: { tool: 'tool_call', agent: 'context', workflow: 'context', task: 'context', llm: 'model' },
};
