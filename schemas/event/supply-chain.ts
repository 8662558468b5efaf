import { z } from 'zod';
import { count, name } from './scalars.ts';

/** What a server is made of, as its scanner or package manager told. */
export const supplyChain = z.strictObject({
  package: name.optional(),
  package_version: name.optional(),
  lockfile_digest: z.string().max(128).optional(),
  signature: z.enum(['verified', 'unsigned', 'bad', 'unknown']).optional(),
  critical_count: count.optional(),
  deprecated: z.boolean().optional(),
});
