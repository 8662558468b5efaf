import { z } from 'zod';
import { checkS3Url, s3Bucket } from './s3.ts';
import { file, secret } from './secret.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);
const ca_file = file.optional().describe('authorities to trust instead of the public ones');
const timeout_ms = z
  .int()
  .min(1000)
  .max(24 * 3_600_000)
  .default(3_600_000)
  .describe('for the whole file, or for each part of it');
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
    ...s3Bucket({ prefix: 'custody-bundles', retentionDays: 365 }),
    timeout_ms,
  })
  .superRefine(checkS3Url)
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
