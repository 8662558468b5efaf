import { z } from 'zod';
import { name } from './scalars.ts';

/** Who told of it, and how it came in. */
export const source = z.strictObject({
  /** `pipeline`: made by the pipeline itself, from no sender. */
  collector: z.enum(['otlp_http', 'otlp_grpc', 'audit_http', 'mcp_stdio_tap', 'pipeline']),
  signal: z.enum(['span', 'log', 'audit', 'mcp']),
  /** Mapping table that read it. */
  dialect: z.string().max(64),
  vantage: z.enum(['client', 'server', 'gateway', 'agent', 'tap', 'unknown']),
  /** Span name, log event name or MCP method as received. */
  name: name.optional(),
  /** Instrumentation scope. */
  scope: name.optional(),
  /** Sender's own sequence number, for gap detection. */
  sequence: z
    .string()
    .regex(/^\d{1,20}$/)
    .optional(),
  sampled: z.boolean().optional(),
});
