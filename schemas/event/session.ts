import { z } from 'zod';
import { id } from './scalars.ts';

/** The agent's task that it belongs to. */
export const session = z.strictObject({
  key: id,
  source: z.enum([
    'conversation_id',
    'agent_session',
    'mcp_session',
    'turn_id',
    'trace_root',
    'tap',
    'synthetic',
  ]),
  /** How sure we are that this key groups one agent task: high = named by the agent, low = inferred. */
  confidence: z.enum(['high', 'medium', 'low']),
  /** For kind session. */
  transition: z.enum(['start', 'end']).optional(),
});
