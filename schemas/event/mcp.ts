import { z } from 'zod';
import { id, name } from './scalars.ts';

/** The MCP message that carried it. */
export const mcp = z.strictObject({
  method: name.optional(),
  request_id: id.optional(),
  protocol_version: z.string().max(64).optional(),
  session_id: id.optional(),
  transport: z.enum(['stdio', 'http', 'sse', 'unknown']).optional(),
  direction: z.enum(['client_to_server', 'server_to_client']).optional(),
  /** The request carries `requestState` or `inputResponses`: a legal multi-round-trip retry, not a repetition. */
  continuation: z.boolean().optional(),
});
