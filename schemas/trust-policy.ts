import { z } from 'zod';
import { TENANT_PATTERN } from './event.ts';

/**
 * What a verifier trusts, pinned outside of what it verifies. Keys are C2SP verifier keys
 * (`<name>+<key id>+<base64>`); sizes are tree sizes of the anchor log, as decimal strings.
 */
export const TRUST_SCHEMA = 'custody.trust/v1';

const size = z.string().regex(/^(?:0|[1-9]\d{0,18})$/);
const verifierKey = z.string().min(1).max(400);

export const trustPolicySchema = z.strictObject({
  schema: z.literal(TRUST_SCHEMA),
  deployment: z.string().regex(TENANT_PATTERN),
  /**
   * Keys of the notary, named `<deployment>/anchor`. Each counts for checkpoints of `from_size` to below `until_size`; one
   * that was stolen counts from `compromised_since_size` on only where an anchor saw the checkpoint before.
   * Keys that a signed rotation in the anchor log names need not be listed.
   */
  notary: z
    .array(
      z.strictObject({
        verifier_key: verifierKey,
        from_size: size.optional(),
        until_size: size.optional(),
        compromised_since_size: size.optional(),
      }),
    )
    .min(1),
  /** How many of these witnesses must have cosigned. */
  witnesses: z
    .strictObject({ quorum: z.int().min(1), keys: z.array(verifierKey).min(1) })
    .refine(({ quorum, keys }) => quorum <= keys.length, {
      path: ['quorum'],
      error: 'more than there are keys',
    })
    .optional(),
  /** RFC 3161 authorities: their signing or root certificates. */
  timestamp_authorities: z
    .array(z.strictObject({ name: z.string().min(1), certificates_pem: z.string().min(1) }))
    .optional(),
  /** Keys that seal evidence bundles and sign custody acts. */
  bundle_keys: z.array(verifierKey).optional(),
  /** Keys that sign receipts: gateways, policy engines, our own. */
  receipt_issuers: z
    .array(
      z.strictObject({
        issuer: z.string().min(1),
        verifier_key: verifierKey,
        assurance: z.enum(['attested', 'observed']),
      }),
    )
    .optional(),
});

export type TrustPolicy = z.infer<typeof trustPolicySchema>;
