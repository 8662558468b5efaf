import { z } from 'zod';
import { host } from './listener.ts';
import { kafkaConnection } from './log.ts';
import { LOOPBACK, whyNotUrl } from './loopback.ts';
import { checkS3Url, s3Bucket } from './s3.ts';
import { file } from './secret.ts';
import { syslogReceiver } from './sinks.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);
const timeout_ms = z.int().min(100).max(120_000).default(15_000);
const ca_file = file.optional().describe('authorities to trust instead of the public ones');
const dangerously_without_tls = z
  .boolean()
  .default(false)
  .describe('beyond loopback without TLS: only on a network nobody else is on');
const interval_ms = (byDefault: number) =>
  z.int().min(0).max(86_400_000).default(byDefault).describe('checkpoints that come sooner are left out');

/** The part of an object with a URL that promise P8 is about. */
interface Called {
  readonly url: string;
  readonly dangerously_without_tls: boolean;
}
const checkUrl = ({ url, dangerously_without_tls }: Called, context: z.RefinementCtx) => {
  const message = whyNotUrl(url, dangerously_without_tls);
  if (message !== undefined) context.addIssue({ code: 'custom', path: ['url'], message });
};

const fileAnchor = z
  .strictObject({
    id,
    type: z.literal('file'),
    path: file.describe('append-only file, best on another mount'),
  })
  .describe('a file');

const s3Anchor = z
  .strictObject({
    id,
    type: z.literal('s3'),
    ...s3Bucket({ prefix: 'custody', retentionDays: 90 }),
    interval_ms: interval_ms(60_000),
    timeout_ms,
  })
  .superRefine(checkS3Url)
  .describe('S3 Object Lock in compliance mode');

const rfc3161Anchor = z
  .strictObject({
    id,
    type: z.literal('rfc3161'),
    url: z.url(),
    certificates_file: file
      .optional()
      .describe('PEM: certificates that tokens must lead to; without it they are not verified here'),
    interval_ms: interval_ms(3_600_000),
    timeout_ms,
    ca_file,
    dangerously_without_tls: z
      .boolean()
      .default(false)
      .describe('beyond loopback without TLS; only a hash is sent and the token is signed'),
  })
  .superRefine(checkUrl)
  .describe('a timestamp authority');

const witnessAnchor = z
  .strictObject({
    id,
    type: z.literal('witness'),
    url: z.url().describe('what /add-checkpoint is appended to'),
    verifier_key: z.string().min(1).max(400).describe('public key of the witness: <name>+<key id>+<base64>'),
    timeout_ms,
    ca_file,
    dangerously_without_tls,
  })
  .superRefine(checkUrl)
  .describe('a C2SP witness');

const kafkaAnchor = z
  .strictObject({
    id,
    type: z.literal('kafka'),
    ...kafkaConnection,
    topic: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,248}$/)
      .default('custody.checkpoints'),
    replication_factor: z.int().min(1).max(9).default(3).describe('min.insync.replicas is one less'),
    create_topic: z.boolean().default(true).describe('make the topic when it is missing'),
  })
  .superRefine(({ brokers, tls, dangerously_without_tls }, context) => {
    const beyond = brokers.find((broker) => !LOOPBACK.test(broker.replace(/:\d+$/, '')));
    if (beyond === undefined || tls !== undefined || dangerously_without_tls) return;
    const message = `${beyond} is not loopback, so tls must be set (or dangerously_without_tls: true)`;
    context.addIssue({ code: 'custom', path: ['tls'], message });
  })
  .describe('a Kafka topic');

const siemAnchor = z
  .strictObject({
    id,
    type: z.literal('siem'),
    ...syslogReceiver,
    host,
    message_max_bytes: z.int().min(1024).max(65_536).default(8192),
    dangerously_without_tls,
  })
  .superRefine(({ transport, host: receiver, dangerously_without_tls }, context) => {
    if (transport === 'tls' || LOOPBACK.test(receiver) || dangerously_without_tls) return;
    const message = 'the host is not loopback, so it must be tls (or set dangerously_without_tls: true)';
    context.addIssue({ code: 'custom', path: ['transport'], message });
  })
  .describe('a syslog receiver');

/** Where checkpoints are kept out of reach of the store's administrators. */
export const anchor = z.discriminatedUnion('type', [
  fileAnchor,
  s3Anchor,
  rfc3161Anchor,
  witnessAnchor,
  kafkaAnchor,
  siemAnchor,
]);

export type AnchorConfig = z.infer<typeof anchor>;
export type AnchorConfigOf<Type extends AnchorConfig['type']> = Extract<AnchorConfig, { type: Type }>;
