import { z } from 'zod';

export const registry = z.strictObject({
  file: z
    .string()
    .min(1)
    .optional()
    .describe('registry.yaml: what people have decided about servers, tools, clients and agents'),
  reload_interval_ms: z
    .int()
    .min(200)
    .max(3_600_000)
    .default(5_000)
    .describe('how often to look whether the file has changed'),
});
