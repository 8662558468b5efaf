import { z } from 'zod';

export const rules = z.strictObject({
  dirs: z
    .array(z.string().min(1))
    .max(32)
    .default(['builtin'])
    .describe('directories of rules in YAML; builtin = the rules that come with the product; [] = none'),
  suppressions_file: z
    .string()
    .min(1)
    .optional()
    .describe('alerts that are recorded but sent to no sink, each with a reason and an end'),
  reload_interval_ms: z
    .int()
    .min(1_000)
    .max(24 * 3_600_000)
    .default(10_000)
    .describe('how often the files are looked at; what changed comes into force through the log'),
});
