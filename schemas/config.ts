import { z } from 'zod';
import { TENANT_PATTERN } from './event.ts';

/**
 * The configuration tree: YAML file, then environment variables (`CUSTODY_` + path in capitals joined by `_`), then
 * flags. Strict: an unknown key is an error that names its path. Every field has a default, a unit in its name and
 * a bound. Secrets come from files or the environment, never inline.
 */
const KiB = 1024;
const MiB = 1024 * KiB;
const port = z.int().min(0).max(65535).describe('0 = any free port');
const host = z.string().min(1);
const file = z.string().min(1);

const secret = z.strictObject({
  file: file.optional(),
  env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .optional(),
});

const tls = z.strictObject({ cert_file: file, key_file: file, client_ca_file: file.optional() });

/** One listening socket. Beyond loopback it needs TLS, and the listener needs a token (promise P8). */
const listener = (defaultPort: number) =>
  z.strictObject({
    enabled: z.boolean().default(true),
    host: host.default('127.0.0.1'),
    port: port.default(defaultPort),
    tls: tls.optional(),
    dangerously_without_tls: z
      .boolean()
      .default(false)
      .describe('beyond loopback without TLS: only behind a proxy that terminates it'),
  });

/** A bearer token; with `tenant`, records sent with it belong to that tenant whatever they say. */
const token = z.strictObject({
  file: file.optional(),
  env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .optional(),
  tenant: z.string().regex(TENANT_PATTERN).optional(),
});

const ingest = z.strictObject({
  http: listener(4318).prefault({}),
  grpc: listener(4317).prefault({}),
  tokens: z.array(token).default([]).describe('empty = no authentication, loopback only'),
  tenant: z.string().regex(TENANT_PATTERN).default('default').describe('for records that name none'),
  request_max_bytes: z
    .int()
    .min(KiB)
    .max(256 * MiB)
    .default(16 * MiB)
    .describe('after decompression'),
  attribute_max_count: z.int().min(1).max(4096).default(512).describe('attributes read per record'),
  depth_max: z.int().min(4).max(256).default(32).describe('nesting of values'),
  string_max_bytes: z
    .int()
    .min(KiB)
    .max(16 * MiB)
    .default(1 * MiB)
    .describe('longer values are cut before redaction'),
  records_max: z.int().min(1).max(1_000_000).default(50_000).describe('records in one request'),
  in_flight_max_bytes: z
    .int()
    .min(MiB)
    .max(4096 * MiB)
    .default(128 * MiB)
    .describe('beyond it: 503 and Retry-After'),
  requests_per_second_max: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('beyond it: 429, per token or address'),
});

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

const kafkaLog = z
  .strictObject({
    type: z.literal('kafka'),
    brokers: z
      .array(z.string().regex(/^[^:/\s]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'expected host:port'))
      .min(1)
      .describe('any of the cluster'),
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
  })
  .describe('Apache Kafka');

const log = z.discriminatedUnion('type', [embeddedLog, kafkaLog]);

const detect = z.strictObject({
  session_idle_ms: z
    .int()
    .min(1000)
    .max(24 * 3_600_000)
    .default(30 * 60_000),
  sessions_max: z
    .int()
    .min(16)
    .max(1_000_000)
    .default(50_000)
    .describe('open sessions held, least recently seen go first'),
  tenants_max: z.int().min(1).max(100_000).default(10_000),
  snapshot_interval_ms: z
    .int()
    .min(100)
    .max(600_000)
    .default(5_000)
    .describe('at least; longer while snapshots take more than an eighth of the time'),
  shared_statistics: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe('hashes of tool chains that at least three tenants use are shared between tenants'),
      epoch_ms: z
        .int()
        .min(1_000)
        .max(24 * 3_600_000)
        .default(10 * 60_000)
        .describe('what tenants share is seen by the others after one to two of these'),
      wait_ms: z
        .int()
        .min(0)
        .max(3_600_000)
        .default(60_000)
        .describe('how long to wait for a partition that is behind, before going on without it'),
    })
    .prefault({}),
  novel_chain: z
    .strictObject({
      enabled: z.boolean().default(true),
      threshold: z.number().min(0).max(1).default(0.95),
      learning_sessions: z.int().min(1).max(100_000).default(20).describe('sessions before the first alert'),
    })
    .prefault({}),
  exfil: z
    .strictObject({
      enabled: z.boolean().default(true),
      learning_calls: z
        .int()
        .min(1)
        .max(100_000)
        .default(20)
        .describe('calls per tool before its own baseline counts'),
      spike_ratio: z.number().min(1).max(1000).default(4).describe('times the 99th percentile'),
      spike_min_bytes: z
        .int()
        .min(0)
        .default(4 * KiB),
      session_volume_bytes: z
        .int()
        .min(KiB)
        .default(8 * MiB)
        .describe('to one destination within one session'),
    })
    .prefault({}),
  scope_drift: z
    .strictObject({
      enabled: z.boolean().default(true),
      write_ttl_max_sec: z.int().min(1).default(900),
    })
    .prefault({}),
  loop: z
    .strictObject({
      enabled: z.boolean().default(true),
      identical_calls: z.int().min(2).default(4),
      cycle_repeats: z.int().min(2).default(3),
      same_tool_run: z.int().min(3).default(12),
      retries: z.int().min(1).default(5),
      error_run: z.int().min(2).default(4),
      plan_depth: z.int().min(1).default(12),
    })
    .prefault({}),
});

const ledger = z.strictObject({
  batch_max_records: z.int().min(1).max(100_000).default(5_000),
  batch_max_bytes: z
    .int()
    .min(64 * KiB)
    .max(256 * MiB)
    .default(16 * MiB),
  linger_ms: z.int().min(0).max(10_000).default(200),
});

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

const admin = z.strictObject({ listener: listener(8470).prefault({}), tokens: z.array(token).default([]) });

const retry = z.strictObject({
  base_ms: z.int().min(1).max(60_000).default(500),
  cap_ms: z.int().min(1).max(3_600_000).default(60_000),
});
const sinkId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/);

const sink = z.discriminatedUnion('type', [
  z.strictObject({
    id: sinkId,
    type: z.literal('ocsf_file'),
    path: file.optional().describe('default: alerts/<id>.ocsf.ndjson in the data directory'),
    fsync: z.boolean().default(true),
    retry: retry.prefault({}),
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
  }),
  z.strictObject({
    id: sinkId,
    type: z.literal('syslog'),
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
    message_max_bytes: z.int().min(480).max(65_536).default(8192),
    retry: retry.prefault({}),
  }),
]);

const store = z.discriminatedUnion('type', [
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
  detect: detect.prefault({}),
  ledger: ledger.prefault({}),
  store: store.prefault({ type: 'embedded' }).describe('where the ledger is kept'),
  sql: sql.prefault({}),
  admin: admin.prefault({}),
  sinks: z
    .array(sink)
    .default([{ id: 'ocsf', type: 'ocsf_file', fsync: true, retry: { base_ms: 500, cap_ms: 60_000 } }]),
  verify_cron: z
    .string()
    .default('17 3 * * *')
    .describe('self-verification of the store; five fields; empty = never'),
});

export type Config = z.infer<typeof configSchema>;
export type IngestConfig = Config['ingest'];
export type LogConfig = Extract<Config['log'], { type: 'embedded' }>;
export type KafkaLogConfig = Extract<Config['log'], { type: 'kafka' }>;
export type DetectConfig = Config['detect'];
export type LedgerConfig = Config['ledger'];
export type StoreConfig = Config['store'];
/** A ledger on a ClickHouse server or cluster. */
export type ServerStoreConfig = Extract<StoreConfig, { type: 'clickhouse' }>;
export type SqlConfig = Config['sql'];
export type AdminConfig = Config['admin'];
export type SinkConfig = Config['sinks'][number];
export type ListenerConfig = Config['admin']['listener'];
export type TokenConfig = Config['ingest']['tokens'][number];
