import { z } from 'zod';
import { whyNotUrl } from './loopback.ts';
import { file, secret } from './secret.ts';

/** A bucket with object lock, and how it is reached; what is written there nobody can delete for `retention_days`. */
export const s3Bucket = (byDefault: { readonly prefix: string; readonly retentionDays: number }) => ({
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .describe('with object lock'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/)
    .max(200)
    .default(byDefault.prefix),
  region: z.string().min(1).default('us-east-1'),
  url: z.url().optional().describe('endpoint of a server that is not AWS'),
  path_style: z.boolean().default(false).describe('the bucket in the path instead of the host name'),
  credentials: z
    .strictObject({ access_key_id: secret, secret_access_key: secret, session_token: secret.optional() })
    .optional()
    .describe('default: what the AWS SDK finds (environment, profile, role of the machine)'),
  retention_days: z
    .int()
    .min(1)
    .max(36_500)
    .default(byDefault.retentionDays)
    .describe('nobody can delete an object sooner'),
  ca_file: file.optional().describe('authorities to trust instead of the public ones'),
  dangerously_without_tls: z
    .boolean()
    .default(false)
    .describe('beyond loopback without TLS: only on a network nobody else is on'),
});

/** Promise P8 for the endpoint. */
export function checkS3Url(
  {
    url,
    dangerously_without_tls,
  }: { readonly url?: string | undefined; readonly dangerously_without_tls: boolean },
  context: z.RefinementCtx,
): void {
  const message = url === undefined ? undefined : whyNotUrl(url, dangerously_without_tls);
  if (message !== undefined) context.addIssue({ code: 'custom', path: ['url'], message });
}
