import type { Dialect } from '../dialect.ts';

/** Sentry's MCP server instrumentation: names from before the conventions, one attribute per argument. */
export const sentry: Dialect = {
  id: 'sentry',
  recognise: {
    attributes: ['sentry.op', 'sentry.origin', 'mcp.tool.result.content_count'],
    scopes: ['@sentry/'],
  },
  fields: {
    toolName: ['mcp.tool.name'],
    result: ['mcp.tool.result.content'],
  },
  localFields: { ignored: ['sentry.op', 'sentry.origin', 'sentry.source', 'mcp.tool.result.content_count'] },
  argumentPrefix: 'mcp.request.argument.',
  vantage: 'server',
};
