import type { Dialect } from '../dialect.ts';

/** FastMCP: `enduser.id` is the OAuth client, `enduser.scope` the granted scopes, the tool a component key. */
export const fastmcp: Dialect = {
  id: 'fastmcp',
  recognise: { attributes: ['fastmcp.component.key', 'fastmcp.server.name'], scopes: ['fastmcp'] },
  fields: { serverName: ['fastmcp.server.name'] },
  localFields: {
    method: ['mcp.method.name', 'rpc.method'],
    toolName: ['gen_ai.tool.name', 'fastmcp.component.key'],
    serverName: ['fastmcp.server.name', 'rpc.service'],
    clientName: ['mcp.client.name', 'enduser.id'],
    grants: ['enduser.scope'],
    ignored: ['rpc.system', 'fastmcp.component.type'],
  },
  names: [{ name: 'tools/call ', match: 'prefix', kind: 'tool_call', toolInName: true }],
};
