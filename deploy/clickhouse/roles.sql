-- Roles, settings profiles and quotas of a ledger on ClickHouse; docs/spec/store-roles.md says why. May be run again at
-- any time: every statement replaces what is there. Run it as an administrator, on every replica (or once, with users
-- kept in Keeper), before or after `custody migrate`. Users come from users.sql. No role may have
-- the name of a user: TO takes the user then, and the role is left without.

CREATE ROLE IF NOT EXISTS custody_writer_role;
CREATE ROLE IF NOT EXISTS custody_notary_role;
CREATE ROLE IF NOT EXISTS custody_reader_role;
CREATE ROLE IF NOT EXISTS custody_retention_role;
CREATE ROLE IF NOT EXISTS custody_migrator_role;

-- The pipeline. Adds rows, column by column: ATTACH PARTITION asks for INSERT on the whole table, and brings in rows
-- that no CHECK constraint saw. Reads in the anchor log what retention announced to remove, and looks incidents up for its
-- admin endpoint.
GRANT
  INSERT(log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body) ON custody.entries,
  SELECT ON custody.entries,
  SELECT ON custody.anchor_entries,
  SELECT ON custody.alerts,
  SELECT ON custody.incidents,
  SELECT ON custody.incident_changes,
  SELECT ON custody.migrations,
  SELECT ON system.tables,
  SELECT ON system.settings
TO custody_writer_role WITH REPLACE OPTION;

-- Reads entries back, signs what it saw, and publishes that; adds no entry.
GRANT
  SELECT ON custody.entries,
  SELECT ON custody.migrations,
  SELECT, INSERT(origin, seq, body, leaf) ON custody.anchor_entries,
  SELECT, INSERT(origin, size, root, time_ms, note) ON custody.checkpoints,
  SELECT, INSERT(origin, size, anchor, type, time_ms, evidence) ON custody.anchor_evidence,
  SELECT, INSERT(log, level, place, hash) ON custody.subtrees,
  SELECT ON system.tables,
  SELECT ON system.columns,
  SELECT ON system.settings
TO custody_notary_role WITH REPLACE OPTION;

-- Analysts, Grafana, `custody query` and `custody verify`. The views read with the rights of whoever asks, and
-- verification reads entries; so a reader has both.
GRANT
  SELECT ON custody.tool_calls,
  SELECT ON custody.alerts,
  SELECT ON custody.incidents,
  SELECT ON custody.incident_changes,
  SELECT ON custody.detector_kpis,
  SELECT ON custody.verify_entries,
  SELECT ON custody.verify_logs,
  SELECT ON custody.verify_roots,
  SELECT ON custody.entries,
  SELECT ON custody.anchor_entries,
  SELECT ON custody.checkpoints,
  SELECT ON custody.anchor_evidence,
  SELECT ON custody.subtrees,
  SELECT ON custody.migrations,
  SELECT ON system.tables,
  SELECT ON system.columns,
  SELECT ON system.settings
TO custody_reader_role WITH REPLACE OPTION;

-- Drops partitions that are out of retention. ClickHouse has no smaller right for it than one that also deletes rows:
-- give it to a job with a credential of minutes, and audit each use.
GRANT
  ALTER DELETE ON custody.entries,
  SELECT ON custody.entries,
  SELECT ON system.parts
TO custody_retention_role WITH REPLACE OPTION;

-- `custody migrate`, by hand or from a deployment, never from the pipeline.
GRANT
  CREATE DATABASE ON custody.*,
  CREATE TABLE ON custody.*,
  CREATE VIEW ON custody.*,
  DROP VIEW ON custody.*,
  ALTER ADD INDEX ON custody.entries,
  SELECT ON custody.entries,
  SELECT ON custody.anchor_entries,
  SELECT ON custody.incidents,
  SELECT ON custody.incident_changes,
  SELECT, INSERT ON custody.migrations,
  SELECT ON system.tables,
  SELECT ON system.settings,
  CLUSTER ON *.*
TO custody_migrator_role WITH REPLACE OPTION;
GRANT TABLE ENGINE ON MergeTree TO custody_migrator_role;
GRANT TABLE ENGINE ON ReplicatedMergeTree TO custody_migrator_role;

-- What a writer must not be talked out of, by a URL parameter or a statement of whoever has its password.
CREATE SETTINGS PROFILE OR REPLACE custody_writer SETTINGS
  allow_ddl = 0 CONST,
  async_insert = 0 CONST,
  insert_null_as_default = 0 CONST,
  input_format_null_as_default = 0 CONST,
  input_format_skip_unknown_fields = 0 CONST,
  input_format_allow_errors_num = 0 CONST,
  input_format_allow_errors_ratio = 0 CONST,
  max_partitions_per_insert_block = 1 CONST,
  throw_on_max_partitions_per_insert_block = 1 CONST,
  allow_introspection_functions = 0 CONST
TO custody_writer_role;

CREATE SETTINGS PROFILE OR REPLACE custody_notary SETTINGS
  allow_ddl = 0 CONST,
  allow_introspection_functions = 0 CONST
TO custody_notary_role;

-- readonly = 1: no setting changes but those named. Verification pins its own, so that no profile hides rows from it;
-- the limits of one query may be lowered, and raised up to the bound.
CREATE SETTINGS PROFILE OR REPLACE custody_reader SETTINGS
  readonly = 1 CONST,
  allow_ddl = 0 CONST,
  allow_introspection_functions = 0 CONST,
  max_execution_time = 60 MIN 1 MAX 600 CHANGEABLE_IN_READONLY,
  max_memory_usage = 2000000000 MIN 1 MAX 8000000000 CHANGEABLE_IN_READONLY,
  max_threads = 4 MIN 1 MAX 8 CHANGEABLE_IN_READONLY,
  apply_deleted_mask CHANGEABLE_IN_READONLY,
  additional_table_filters CHANGEABLE_IN_READONLY,
  additional_result_filter CHANGEABLE_IN_READONLY,
  final CHANGEABLE_IN_READONLY,
  limit CHANGEABLE_IN_READONLY,
  offset CHANGEABLE_IN_READONLY,
  max_rows_to_read CHANGEABLE_IN_READONLY,
  max_result_rows CHANGEABLE_IN_READONLY,
  read_overflow_mode CHANGEABLE_IN_READONLY,
  read_overflow_mode_leaf CHANGEABLE_IN_READONLY,
  result_overflow_mode CHANGEABLE_IN_READONLY,
  sort_overflow_mode CHANGEABLE_IN_READONLY,
  group_by_overflow_mode CHANGEABLE_IN_READONLY,
  timeout_overflow_mode CHANGEABLE_IN_READONLY,
  optimize_read_in_order CHANGEABLE_IN_READONLY,
  select_sequential_consistency CHANGEABLE_IN_READONLY,
  enable_http_compression CHANGEABLE_IN_READONLY,
  send_progress_in_http_headers CHANGEABLE_IN_READONLY,
  http_headers_progress_interval_ms CHANGEABLE_IN_READONLY
TO custody_reader_role;

CREATE SETTINGS PROFILE OR REPLACE custody_retention SETTINGS
  allow_introspection_functions = 0 CONST
TO custody_retention_role;

CREATE QUOTA OR REPLACE custody_reader KEYED BY user_name
  FOR INTERVAL 1 hour MAX queries = 20000, execution_time = 3600
TO custody_reader_role;

-- Last, because a server before 25.3 does not know this setting, refuses the statement and does not need it.
CREATE SETTINGS PROFILE OR REPLACE custody_reader_from_25_3 SETTINGS
  use_query_condition_cache = 0 CHANGEABLE_IN_READONLY
TO custody_reader_role;
