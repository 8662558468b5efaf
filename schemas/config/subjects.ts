import { z } from 'zod';
import { IDENTITY_PATHS, SEALABLE_PATHS } from '../sealed-field.ts';
import { file, secret } from './secret.ts';

export const subjects = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('encrypt what is personal under a key of its subject, so that it can be erased'),
  fields: z
    .array(z.enum(SEALABLE_PATHS))
    .min(1)
    .default([
      'actor.user_id',
      'arguments.summary',
      'client.address',
      'policy.approver',
      'policy.reason',
      'result.summary',
    ])
    .describe('members of an event that are encrypted'),
  subject_from: z
    .enum(IDENTITY_PATHS)
    .default('actor.user_id')
    .describe('whose data summaries, reasons and attributes are; without it actor.id'),
  directory: file
    .optional()
    .describe(
      'keys of the subjects, to be left out of backups of the rest; default: subjects in the data directory',
    ),
  kek: secret
    .optional()
    .describe('32 bytes in hex that encrypt the keys; default: made once in the directory'),
  cached_keys_max: z.int().min(16).max(1_000_000).default(10_000),
});
