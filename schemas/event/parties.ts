import { z } from 'zod';
import { id, name } from './scalars.ts';

/** Who acts. */
export const actor = z.strictObject({
  /** The agent, or whoever acts. */
  id: id.optional(),
  type: z.enum(['agent', 'human', 'service', 'unknown']).optional(),
  /** The human on whose behalf. */
  user_id: id.optional(),
  /** Service account, host or process that runs the agent. */
  runtime_id: id.optional(),
});

/** Either end of the connection. */
export const peer = z.strictObject({
  name: name.optional(),
  version: name.optional(),
  address: name.optional(),
});
