import { z } from 'zod';
import { count, name } from './scalars.ts';

/** What a component says of its own state. */
export const health = z.strictObject({
  component: name,
  status: z.enum(['ok', 'degraded', 'failing', 'down']).optional(),
  queue_depth: count.optional(),
  dependency: name.optional(),
});
