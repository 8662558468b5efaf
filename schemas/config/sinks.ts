import { z } from 'zod';
import { host } from './listener.ts';
import { file, secret } from './secret.ts';

const retry = z.strictObject({
  base_ms: z.int().min(1).max(60_000).default(500),
  cap_ms: z.int().min(1).max(3_600_000).default(60_000),
});
const includeShadow = z
  .boolean()
  .default(false)
  .describe('also send alerts of rules on trial and silenced ones; they are in the ledger either way');
const sinkId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/);

/** A syslog receiver, and how messages to it look. */
export const syslogReceiver = {
  host,
  port: z.int().min(1).max(65535).default(6514),
  transport: z.enum(['tls', 'tcp']).default('tls'),
  framing: z.enum(['octet', 'lf']).default('octet'),
  ca_file: file.optional(),
  cert_file: file.optional(),
  key_file: file.optional(),
  server_name: z.string().optional(),
  facility: z.int().min(0).max(23).default(13),
  enterprise_number: z
    .int()
    .min(1)
    .default(32473)
    .describe('32473 is the documentation number; use your own'),
};

export const sink = z.discriminatedUnion('type', [
  z.strictObject({
    id: sinkId,
    type: z.literal('ocsf_file'),
    path: file.optional().describe('default: alerts/<id>.ocsf.ndjson in the data directory'),
    fsync: z.boolean().default(true),
    retry: retry.prefault({}),
    include_shadow: includeShadow,
  }),
  z.strictObject({
    id: sinkId,
    type: z.literal('webhook'),
    url: z.url(),
    secret,
    ca_file: file.optional().describe('authorities to trust instead of the public ones'),
    allow_private_addresses: z.boolean().default(false),
    timeout_ms: z.int().min(100).max(120_000).default(20_000),
    retry: retry.prefault({}),
    include_shadow: includeShadow,
  }),
  z.strictObject({
    id: sinkId,
    type: z.literal('syslog'),
    ...syslogReceiver,
    message_max_bytes: z.int().min(480).max(65_536).default(8192),
    retry: retry.prefault({}),
    include_shadow: includeShadow,
  }),
]);
