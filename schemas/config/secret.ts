import { z } from 'zod';

export const file = z.string().min(1);

/** Where a secret is, never the secret. */
export const secret = z.strictObject({
  file: file.optional(),
  env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .optional(),
});
