import type { Dialect } from '../dialect.ts';

/** ContextForge gateway. */
export const contextforge: Dialect = {
  id: 'contextforge',
  recognise: {
    attributes: ['contextforge.tool.id', 'contextforge.gateway_id', 'contextforge.runtime', 'team.name'],
    scopes: ['mcpgateway', 'mcp-gateway'],
    names: [
      'tool.invoke',
      'tool.list',
      'mcp.client.call',
      'mcp.client.initialize',
      'mcp.client.request',
      'mcp.client.response',
    ],
  },
  fields: {
    toolName: ['tool.name', 'mcp.tool.name'],
    serverName: ['contextforge.gateway_name', 'gateway.name'],
  },
  localFields: {
    success: ['success'],
    callId: ['correlation_id'],
    serverName: ['contextforge.gateway_name', 'gateway.name', 'server.name'],
    arguments: ['langfuse.observation.input', 'tool.arguments'],
  },
  names: [
    { name: 'tool.invoke', kind: 'tool_call' },
    { name: 'tool.list', kind: 'tool_list' },
    { name: 'mcp.client.call', kind: 'tool_call', vantage: 'client' },
    { name: 'mcp.client.initialize', kind: 'session', transition: 'start', vantage: 'client' },
    { name: 'mcp.client.request', kind: 'mcp_message', vantage: 'client' },
    { name: 'mcp.client.response', kind: 'mcp_message', vantage: 'client' },
  ],
  toolSeparator: '-',
  vantage: 'gateway',
};
