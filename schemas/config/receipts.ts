import { z } from 'zod';
import { secret } from './secret.ts';

export const receipts = z.strictObject({
  key: secret
    .optional()
    .describe('signing key of use log, best named <deployment>/receipts; another one than the notary has'),
});
