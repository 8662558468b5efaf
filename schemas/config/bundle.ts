import { z } from 'zod';
import { whyNotUrl } from './loopback.ts';
import { file, secret } from './secret.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);
const ca_file = file.optional().describe('authorities to trust instead of the public ones');
const timeout_ms = z
  .int()
  .min(1000)
  .max(24 * 3_600_000)
  .default(3_600_000)
  .describe('for the whole file, or for each part of it');
const dangerously_without_tls = z
  .boolean()
  .default(false)
  .describe('beyond loopback without TLS: only on a network nobody else is on');

const webhookTarget = z
  .strictObject({
    id,
    type: z.literal('webhook'),
    url: z.url().describe('{case} and {name} in it become the case and the name of the file'),
    method: z
      .enum(['put', 'post', 'multipart'])
      .default('post')
      .describe('the file as the body, or as the field `file` of a form, as ticket systems take attachments'),
    secret: secret.optional().describe('whsec_…: signs id, time and digest of the file'),
    authorization: secret.optional().describe('value of the Authorization header'),
    headers: z.record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), z.string().max(1024)).default({}),
    allow_private_addresses: z.boolean().default(false),
    ca_file,
    timeout_ms,
  })
  .describe('a ticket system, or anything that takes a file over HTTP');

const s3Target = z
  .strictObject({
    id,
    type: z.literal('s3'),
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
      .describe('with object lock'),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/)
      .max(200)
      .default('custody-bundles'),
    region: z.string().min(1).default('us-east-1'),
    url: z.url().optional().describe('endpoint of a server that is not AWS'),
    path_style: z.boolean().default(false).describe('the bucket in the path instead of the host name'),
    credentials: z
      .strictObject({ access_key_id: secret, secret_access_key: secret, session_token: secret.optional() })
      .optional()
      .describe('default: what the AWS SDK finds (environment, profile, role of the machine)'),
    retention_days: z.int().min(1).max(36_500).default(365).describe('nobody can delete the bundle sooner'),
    ca_file,
    timeout_ms,
    dangerously_without_tls,
  })
  .superRefine(({ url, dangerously_without_tls: isAllowed }, context) => {
    const message = url === undefined ? undefined : whyNotUrl(url, isAllowed);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['url'], message });
  })
  .describe('S3 Object Lock in compliance mode');

const target = z.discriminatedUnion('type', [webhookTarget, s3Target]);

/** Evidence bundles: who signs them and where they can be attached. */
export const bundle = z
  .strictObject({
    key: secret
      .optional()
      .describe('signing key of use log, best named <deployment>/bundle; another one than the notary has'),
    attach: z.array(target).default([]).describe('where --attach <id> takes a bundle'),
  })
  .refine(({ attach }) => new Set(attach.map((each) => each.id)).size === attach.length, {
    path: ['attach'],
    error: 'two targets have one id',
  });

export type AttachTarget = z.infer<typeof target>;
export type AttachTargetOf<Type extends AttachTarget['type']> = Extract<AttachTarget, { type: Type }>;
