import { z } from 'zod';
import { limits } from './limits.ts';
import { count, hex64, name } from './scalars.ts';

/** What the credential allows, and how long. */
export const scope = z.strictObject({
  grants: z.array(name).max(limits.grants).optional(),
  ttl_sec: count.optional(),
  credential_class: name.optional(),
  /** HMAC of the token id, never the id. */
  token_digest: hex64.optional(),
  /** Whom the token was issued for (`aud`, RFC 8707 `resource`). */
  audience: name.optional(),
  /** How old the credential is. */
  age_sec: count.optional(),
});
