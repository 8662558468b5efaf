import { z } from 'zod';
import { name } from './scalars.ts';

/** What changed. */
export const change = z.strictObject({
  item_type: z.enum(['server', 'tool', 'client', 'agent', 'zone', 'limit', 'endpoint', 'policy', 'config']),
  item: name,
  field: name.optional(),
  /** Redacted. */
  before: z.string().max(1024).optional(),
  after: z.string().max(1024).optional(),
});
