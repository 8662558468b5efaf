import type { Dialect } from '../dialect.ts';

/** agentgateway: spans and access log; the server is the route target, the actor the token's subject. */
export const agentgateway: Dialect = {
  id: 'agentgateway',
  recognise: {
    attributes: ['mcp.target', 'mcp.resource.type', 'src.identity'],
    scopes: ['agentgateway'],
    services: ['agentgateway'],
  },
  fields: {
    serverName: ['mcp.target'],
    actorId: ['jwt.sub'],
    runtimeId: ['src.identity'],
    clientAddress: ['src.addr'],
  },
  localFields: {
    toolName: ['gen_ai.tool.name', 'mcp.tool.name', 'mcp.resource.name'],
    serverAddress: ['endpoint'],
    httpStatus: ['http.status'],
    errorType: ['mcp.error.code', 'error'],
    reason: ['mcp.error.message'],
  },
  vantage: 'gateway',
};
