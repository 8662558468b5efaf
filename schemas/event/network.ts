import { z } from 'zod';
import { name } from './scalars.ts';

/** Where the connection was made, as the transport saw it. */
export const network = z.strictObject({
  /** Address a server listens on. */
  bind_address: name.optional(),
  /** HTTP `Origin` and `Host` as received. */
  origin: name.optional(),
  host: name.optional(),
  peer_address: name.optional(),
});
