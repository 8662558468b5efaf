import { z } from 'zod';
import { secret } from './secret.ts';

/** How long the ledger keeps entries; docs/operations/retention.md. */
export const retention = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('remove whole days that are too old; only where a notary signs what goes'),
    days: z.int().min(1).max(36_500).default(90).describe('full days that every entry is kept at least'),
    minimum_days: z
      .int()
      .min(1)
      .max(36_500)
      .default(90)
      .describe('days must not be below it: a guard for policy'),
    dangerously_below_minimum: z.boolean().default(false),
    cron: z
      .string()
      .default('41 3 * * *')
      .describe('when days are removed, best after verify_cron; five fields; empty = never by itself'),
    username: z
      .string()
      .min(1)
      .default('custody_retention')
      .describe('user of a ClickHouse server that may drop partitions; never the writer'),
    password: secret
      .optional()
      .describe('its password; without one nothing is removed from a server by itself'),
  })
  .refine(
    ({ days, minimum_days, dangerously_below_minimum }) => days >= minimum_days || dangerously_below_minimum,
    {
      path: ['days'],
      error: 'below retention.minimum_days (or set retention.dangerously_below_minimum: true)',
    },
  );
