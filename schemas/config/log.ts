import { z } from 'zod';
import { MiB } from './bytes.ts';
import { file, secret } from './secret.ts';

const retentionHours = z
  .int()
  .min(1)
  .max(24 * 365)
  .default(24 * 7);
const unwrittenMaxBytes = z
  .int()
  .min(MiB)
  .max(1024 * MiB)
  .default(64 * MiB)
  .describe('beyond it append says overloaded');

const embeddedLog = z
  .strictObject({
    type: z.literal('embedded').default('embedded'),
    partitions: z.int().min(1).max(64).default(1),
    retention_hours: retentionHours.describe('records the ledger has not taken are kept longer'),
    unwritten_max_bytes: unwrittenMaxBytes,
    map_max_bytes: z
      .int()
      .min(64 * MiB)
      .default(1024 * 1024 * MiB)
      .describe('address space, not memory'),
  })
  .describe('LMDB in the data directory');

/** How any Kafka cluster is reached. */
export const kafkaConnection = {
  brokers: z
    .array(z.string().regex(/^[^:/\s]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'expected host:port'))
    .min(1)
    .describe('any of the cluster'),
  request_timeout_ms: z.int().min(1_000).max(120_000).default(15_000),
  tls: z
    .strictObject({
      ca_file: file.optional().describe('authorities to trust instead of the public ones'),
      cert_file: file.optional().describe('client certificate, with key_file'),
      key_file: file.optional(),
      server_name: z.string().optional(),
    })
    .optional(),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
      username: z.string().min(1),
      password: secret,
    })
    .optional(),
  dangerously_without_tls: z
    .boolean()
    .default(false)
    .describe('beyond loopback without TLS: only on a network nobody else is on'),
};

const kafkaLog = z
  .strictObject({
    type: z.literal('kafka'),
    brokers: kafkaConnection.brokers,
    namespace: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
      .default('custody')
      .describe('what the names of topics, groups and transactional ids begin with'),
    former_namespaces: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/))
      .default([])
      .describe('namespaces whose logs are in the store too; verification takes their heads into account'),
    partitions: z.int().min(1).max(1024).default(6).describe('of every topic; fixed once it is made'),
    replication_factor: z.int().min(1).max(9).default(3).describe('min.insync.replicas is one less'),
    retention_hours: retentionHours.describe('the ledger must not fall further behind than this'),
    create_topics: z.boolean().default(true).describe('make missing topics at start'),
    compression: z.enum(['none', 'gzip']).default('none'),
    unwritten_max_bytes: unwrittenMaxBytes,
    session_timeout_ms: z
      .int()
      .min(6_000)
      .max(300_000)
      .default(30_000)
      .describe('a worker that is silent for so long loses its partitions'),
    request_timeout_ms: kafkaConnection.request_timeout_ms,
    tls: kafkaConnection.tls,
    sasl: kafkaConnection.sasl,
    dangerously_without_tls: kafkaConnection.dangerously_without_tls,
  })
  .describe('Apache Kafka');

export const log = z.discriminatedUnion('type', [embeddedLog, kafkaLog]);
