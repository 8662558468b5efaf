import { engineOf, onCluster, type Migration, type SchemaVariant } from './migration.ts';

const DURABLE =
  'fsync_after_insert = 1, fsync_part_directory = 1, enable_block_number_column = 0, enable_block_offset_column = 0, index_granularity = 8192';

/** What the notary publishes, by table; verification compares the server's definitions with these texts. */
export const EVIDENCE_TABLES: Readonly<Record<string, (variant: SchemaVariant) => string>> = {
  anchor_entries: (variant) => `CREATE TABLE custody.anchor_entries
(
  origin LowCardinality(String) COMMENT 'Id of the anchor log: deployment/anchor',
  seq UInt64 COMMENT 'Position in the anchor log, from 0, without gaps',
  body String COMMENT 'Exact bytes of the entry, canonical JSON',
  leaf FixedString(32) COMMENT 'SHA-256 of a zero byte and the body',
  type LowCardinality(String) MATERIALIZED JSONExtractString(body, 'type') COMMENT 'genesis, checkpoint, pruned, ...',
  log LowCardinality(String) MATERIALIZED JSONExtractString(body, 'log') COMMENT 'Data log it is about',
  size UInt64 MATERIALIZED toUInt64OrZero(JSONExtractString(body, 'size')) COMMENT 'Entries of that log that are signed',
  time_ms Int64 MATERIALIZED JSONExtractInt(body, 'time_ms') COMMENT 'When the notary made it, milliseconds since the epoch',
  CONSTRAINT leaf_ok CHECK leaf = SHA256(concat(char(0), body))
)
ENGINE = ${engineOf(variant)}
ORDER BY (origin, seq)
SETTINGS ${DURABLE}`,
  checkpoints: (variant) => `CREATE TABLE custody.checkpoints
(
  origin LowCardinality(String) COMMENT 'Log id, or id of the anchor log',
  size UInt64 COMMENT 'Number of entries',
  root FixedString(32) COMMENT 'Root of the tree of that size',
  time_ms Int64 COMMENT 'When the notary signed, milliseconds since the epoch',
  note String COMMENT 'Signed checkpoint (C2SP tlog-checkpoint)'
)
ENGINE = ${engineOf(variant)}
ORDER BY (origin, size)
SETTINGS ${DURABLE}`,
  anchor_evidence: (variant) => `CREATE TABLE custody.anchor_evidence
(
  origin LowCardinality(String) COMMENT 'Id of the anchor log',
  size UInt64 COMMENT 'Size of the anchored checkpoint',
  anchor LowCardinality(String) COMMENT 'Id of the anchor',
  type LowCardinality(String) COMMENT 'cosignature, timestamp or place',
  time_ms Int64 COMMENT 'When it was anchored, milliseconds since the epoch',
  evidence String COMMENT 'Signature line, token in base64, or where it lies'
)
ENGINE = ${engineOf(variant)}
ORDER BY (origin, size)
SETTINGS ${DURABLE}`,
  subtrees: (variant) => `CREATE TABLE custody.subtrees
(
  log LowCardinality(String) COMMENT 'Log id',
  level UInt8 COMMENT 'The subtree has 2^level leaves',
  place UInt64 COMMENT 'Its first leaf is place * 2^level',
  hash FixedString(32) COMMENT 'Root of the subtree'
)
ENGINE = ${engineOf(variant)}
ORDER BY (log, level, place)
SETTINGS ${DURABLE}`,
};

export const evidenceMigration: Migration = {
  version: 2,
  name: '0002-evidence',
  statements: (variant) => [
    // What is new is found by append time, without reading a day.
    `ALTER TABLE custody.entries${onCluster(variant)} ADD INDEX IF NOT EXISTS append_time kts_ms TYPE minmax GRANULARITY 1`,
    ...Object.entries(EVIDENCE_TABLES).map(([table, ddl]) =>
      ddl(variant).replace(
        `CREATE TABLE custody.${table}`,
        () => `CREATE TABLE IF NOT EXISTS custody.${table}${onCluster(variant)}`,
      ),
    ),
  ],
};
