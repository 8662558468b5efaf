import { z } from 'zod';
import { KiB, MiB } from './bytes.ts';
import { file, secret } from './secret.ts';

export const ledger = z.strictObject({
  batch_max_records: z.int().min(1).max(100_000).default(5_000),
  batch_max_bytes: z
    .int()
    .min(64 * KiB)
    .max(256 * MiB)
    .default(16 * MiB),
  linger_ms: z.int().min(0).max(10_000).default(200),
});

export const store = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('embedded') }).describe('chDB in the data directory'),
  z
    .strictObject({
      type: z.literal('clickhouse'),
      url: z
        .url({ protocol: /^https?$/, error: 'expected https://host:port' })
        .refine((url) => /^https?:\/\/[^/?#@]+\/?$/.test(url), {
          error: 'expected only https://host:port; credentials and settings have keys of their own',
        }),
      username: z.string().min(1).default('custody_writer'),
      password: secret.optional().describe('needed beyond loopback'),
      ca_file: file.optional().describe('authorities to trust instead of the public ones'),
      cert_file: file.optional().describe('client certificate, with key_file'),
      key_file: file.optional(),
      cluster: z
        .string()
        .regex(/^(\{cluster\}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})$/)
        .optional()
        .describe('replicas of one shard: replicated tables, quorum inserts'),
      insert_quorum: z
        .union([z.literal('auto'), z.int().min(2).max(64)])
        .optional()
        .describe('replicas that have a block before it counts; default with a cluster: auto, the majority'),
      request_timeout_ms: z.int().min(1000).max(3_600_000).default(60_000),
      migrate_on_start: z
        .boolean()
        .default(false)
        .describe('needs the rights of custody_migrator; else run custody migrate'),
      dangerously_without_tls: z
        .boolean()
        .default(false)
        .describe('beyond loopback without TLS: only on a network nobody else is on'),
    })
    .refine(({ cluster, insert_quorum }) => cluster !== undefined || insert_quorum === undefined, {
      path: ['insert_quorum'],
      error: 'only with a cluster',
    })
    .refine(({ cert_file, key_file }) => (cert_file === undefined) === (key_file === undefined), {
      path: ['key_file'],
      error: 'cert_file and key_file come together',
    })
    .describe('a ClickHouse server or cluster'),
]);
