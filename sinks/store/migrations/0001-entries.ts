import { hotColumns, PARSED_BODY } from '../hot-columns.ts';
import { sqlString } from '../sql-text.ts';
import { engineOf, onCluster, type Migration, type SchemaVariant } from './migration.ts';

/** The entry preimage (docs/spec/entry.md) in SQL, over the stored columns. */
export const PREIMAGE =
  "concat('mcp-audit/entry/v1\\n', log, '\\n', toString(seq), '\\n', lower(hex(prev)), '\\n', topic, '/', toString(kpart), '/', toString(koffset), '\\n', toString(kts_ms), '\\n', kind, '\\n', lower(hex(body_sha)), '\\n')";

/**
 * A merge reads and writes a column at a time, in small blocks, where the defaults hold large buffers for every column
 * at once. At 10,000 rows of 1.2 kB a second RssAnon peaked at 307 MiB (45 s) instead of 468 MiB (60 s), one run each.
 */
const SMALL_MERGES =
  'vertical_merge_algorithm_min_rows_to_activate = 1, merge_max_block_size = 1024, merge_max_block_size_bytes = 1048576, max_compress_block_size = 262144';

/** A window of blocks in one engine; in a cluster also one of time, a week instead of the default hour. */
const deduplication = ({ cluster }: SchemaVariant) =>
  cluster === undefined
    ? 'non_replicated_deduplication_window = 10000'
    : 'replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800';

const entriesWith = (
  variant: SchemaVariant,
  added: readonly string[],
): string => `CREATE TABLE custody.entries
(
  log LowCardinality(String) COMMENT 'Log id: deployment/tenant/topicId-partition/epoch',
  tenant LowCardinality(String) COMMENT 'Second part of the log id',
  kpart UInt32 COMMENT 'Partition of the topic',
  seq UInt64 COMMENT 'Position in the log, from 0, without gaps',
  topic LowCardinality(String) COMMENT 'Topic the record came from',
  koffset UInt64 COMMENT 'Offset of the record in its partition',
  kts_ms Int64 COMMENT 'Append time of the record, milliseconds since the epoch',
  day Date COMMENT 'Latest UTC day of an append time in this topic partition up to here',
  kind LowCardinality(String) COMMENT 'event, malformed or control',
  prev FixedString(32) COMMENT 'Leaf of entry seq-1, zeros for seq 0',
  body_sha FixedString(32) COMMENT 'SHA-256 of body',
  leaf FixedString(32) COMMENT 'SHA-256 of a zero byte and the preimage',
  body String COMMENT 'Exact bytes of the record' CODEC(ZSTD(1)),
${hotColumns.map((hot) => `  ${hot.name} ${hot.type} MATERIALIZED ${hot.expression(PARSED_BODY)} COMMENT ${sqlString(hot.comment)},`).join('\n')}
${added.map((definition) => `  ${definition},\n`).join('')}  CONSTRAINT leaf_ok CHECK leaf = SHA256(concat(char(0), ${PREIMAGE})),
  CONSTRAINT body_ok CHECK body_sha = SHA256(body)
)
ENGINE = ${engineOf(variant)}
PARTITION BY day
ORDER BY (log, seq)
SETTINGS ${deduplication(variant)}, fsync_after_insert = 1, fsync_part_directory = 1, enable_block_number_column = 0, enable_block_offset_column = 0, index_granularity = 8192, ${SMALL_MERGES}`;

/** The table as version 1 made it, byte for byte; later steps add to it. */
export const releasedEntriesDdl = (variant: SchemaVariant): string => entriesWith(variant, []);

/** What later steps added between the columns and the constraints, as the engine names it. */
const ADDED = ['INDEX append_time kts_ms TYPE minmax GRANULARITY 1'];

/**
 * The table as every store of the variant must have it; verification compares the server's definition, in which a
 * cluster is not named, with this text.
 */
export const entriesDdl = (variant: SchemaVariant): string => entriesWith(variant, ADDED);

const toolCalls = (
  variant: SchemaVariant,
) => `CREATE OR REPLACE VIEW custody.tool_calls${onCluster(variant)} AS
SELECT
  fromUnixTimestamp64Milli(kts_ms, 'UTC') AS append_time,
  event_time, tenant, event_id, phase, actor_id, actor_type, user_id, runtime_id, client_name, server_name,
  server_version, tool_name, tool_action, tool_call_id, session_key, session_source, policy_decision, policy_rule,
  ticket, result_category, arguments_bytes, result_bytes,
  JSONExtractString(body, 'arguments', 'summary') AS arguments_summary,
  JSONExtractString(body, 'result', 'summary') AS result_summary,
  arguments_digest, destinations, grants, scope_ttl_sec, trace_id, span_id, pii_count, redaction_count,
  idempotency_key, dialect, collector, log, seq, lower(hex(leaf)) AS leaf_hash
FROM custody.entries
WHERE kind = 'event' AND event_kind = 'tool_call'
COMMENT 'One row per observation of a tool call'`;

const alerts = (variant: SchemaVariant) => `CREATE OR REPLACE VIEW custody.alerts${onCluster(variant)} AS
SELECT
  fromUnixTimestamp64Milli(kts_ms, 'UTC') AS append_time,
  event_time, tenant, alert_id, detector_id, severity, score, title,
  JSONExtractString(body, 'reason') AS reason,
  JSONExtractString(body, 'observed') AS observed,
  JSONExtractString(body, 'normal') AS normal,
  JSONExtractString(body, 'distance') AS distance,
  JSONExtractString(body, 'dedup_key') AS dedup_key,
  JSONExtract(body, 'evidence', 'Array(String)') AS evidence,
  JSONExtract(body, 'references', 'owasp', 'Array(String)') AS owasp,
  JSONExtract(body, 'references', 'atlas', 'Array(String)') AS atlas,
  JSONExtract(body, 'references', 'attack', 'Array(String)') AS attack,
  session_key, trace_id, actor_id, user_id, server_name, tool_name, policy_decision, destinations,
  log, seq, lower(hex(leaf)) AS leaf_hash
FROM custody.entries
WHERE kind = 'event' AND alert_id != ''
COMMENT 'One row per alert; evidence holds event_id values'`;

export const entriesMigration: Migration = {
  version: 1,
  name: '0001-entries',
  statements: (variant) => [
    releasedEntriesDdl(variant).replace(
      'CREATE TABLE custody.entries',
      () => `CREATE TABLE IF NOT EXISTS custody.entries${onCluster(variant)}`,
    ),
    toolCalls(variant),
    alerts(variant),
  ],
};
