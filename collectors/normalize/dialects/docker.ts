import type { Dialect } from '../dialect.ts';

/** Docker's MCP gateway. */
export const docker: Dialect = {
  id: 'docker',
  recognise: {
    attributes: ['mcp.server.type', 'mcp.server.image'],
    scopes: ['github.com/docker/mcp-gateway', 'docker-mcp-gateway'],
  },
  fields: {
    toolName: ['mcp.tool.name'],
    serverName: ['mcp.server.name'],
    serverAddress: ['mcp.server.endpoint'],
    clientName: ['mcp.client.name'],
  },
  names: [{ name: 'mcp.tool.call', kind: 'tool_call' }],
  vantage: 'gateway',
};
