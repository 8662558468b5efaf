import { z } from 'zod';
import { bundle } from './config/bundle.ts';
import { KiB, MiB } from './config/bytes.ts';
import { detect } from './config/detect.ts';
import { ingest } from './config/ingest.ts';
import { ledger, store } from './config/ledger.ts';
import { listener, token } from './config/listener.ts';
import { log } from './config/log.ts';
import { notary } from './config/notary.ts';
import { receipts } from './config/receipts.ts';
import { registry } from './config/registry.ts';
import { retention } from './config/retention.ts';
import { rules } from './config/rules.ts';
import { secret } from './config/secret.ts';
import { sink } from './config/sinks.ts';
import { subjects } from './config/subjects.ts';
import { TENANT_PATTERN } from './event.ts';

const sql = z.strictObject({
  listener: listener(8123).prefault({}),
  tokens: z.array(token).default([]),
  query_max_seconds: z.int().min(1).max(3600).default(60),
  query_max_memory_bytes: z
    .int()
    .min(16 * MiB)
    .default(512 * MiB),
  query_max_threads: z.int().min(1).max(64).default(1),
  concurrent_queries_max: z.int().min(1).max(64).default(4),
  result_max_bytes: z
    .int()
    .min(KiB)
    .default(256 * MiB),
});

/** With `tenant`: of the incidents, sees and changes that tenant's alone. */
const adminToken = token.extend({
  name: z
    .string()
    .regex(/^[^\p{Cc}]{1,256}$/u)
    .optional()
    .describe(
      'who it was given to: recorded with every change made with it; default: its place, admin.tokens.<n>',
    ),
});
const admin = z.strictObject({
  listener: listener(8470).prefault({}),
  tokens: z.array(adminToken).default([]),
});

/**
 * The configuration tree: YAML file, then environment variables (`CUSTODY_` + path in capitals joined by `_`), then
 * flags. Strict: an unknown key is an error that names its path. Every field has a default, a unit in its name and
 * a bound. Secrets come from files or the environment, never inline.
 */
export const configSchema = z.strictObject({
  data_dir: z.string().min(1).default('./data'),
  deployment: z
    .string()
    .regex(TENANT_PATTERN)
    .optional()
    .describe('part of every log id; default: made once and kept in the data directory'),
  digest_key: secret
    .optional()
    .describe(
      '32 bytes in hex, the same on every collector of a fleet; default: made once in the data directory',
    ),
  log_level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info'),
  ingest: ingest.prefault({}),
  log: log.prefault({}),
  subjects: subjects.prefault({}).describe('encryption of what is personal, one key for each subject'),
  detect: detect.prefault({}),
  registry: registry.prefault({}).describe('servers, tools, clients and agents as people have decided'),
  rules: rules.prefault({}).describe('rules as data, and alerts that are silenced for a time'),
  ledger: ledger.prefault({}),
  store: store.prefault({ type: 'embedded' }).describe('where the ledger is kept'),
  notary: notary.prefault({}),
  sql: sql.prefault({}),
  admin: admin.prefault({}),
  sinks: z.array(sink).default([
    {
      id: 'ocsf',
      type: 'ocsf_file',
      fsync: true,
      retry: { base_ms: 500, cap_ms: 60_000 },
      include_shadow: false,
    },
  ]),
  verify_cron: z
    .string()
    .default('17 3 * * *')
    .describe('self-verification of the whole store; five fields; empty = never'),
  verify_recent_cron: z
    .string()
    .default('47 * * * *')
    .describe('self-verification of what today and yesterday brought; empty = never'),
  receipts: receipts.prefault({}).describe('receipts about tool calls, made from the ledger'),
  bundle: bundle.prefault({}).describe('evidence bundles: who signs them, where they are attached'),
  retention: retention.prefault({}).describe('how long the ledger keeps entries'),
});

export type Config = z.infer<typeof configSchema>;
export type IngestConfig = Config['ingest'];
export type LogConfig = Extract<Config['log'], { type: 'embedded' }>;
export type KafkaLogConfig = Extract<Config['log'], { type: 'kafka' }>;
export type DetectConfig = Config['detect'];
export type LedgerConfig = Config['ledger'];
export type NotaryConfig = Config['notary'];
export type StoreConfig = Config['store'];
/** A ledger on a ClickHouse server or cluster. */
export type ServerStoreConfig = Extract<StoreConfig, { type: 'clickhouse' }>;
export type SqlConfig = Config['sql'];
export type AdminConfig = Config['admin'];
export type RetentionConfig = Config['retention'];
export type SinkConfig = Config['sinks'][number];
export type SubjectsConfig = Config['subjects'];
export type ListenerConfig = Config['admin']['listener'];
export type TokenConfig = Config['ingest']['tokens'][number];
