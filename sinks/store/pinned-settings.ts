import type { ClickHouseSettings } from '@clickhouse/client';

/**
 * Settings every insert carries: synchronous, one block, one partition, no value invented by the engine.
 * Server defaults differ between versions (asynchronous inserts became the default in 26.2), so none is relied on.
 */
export const INSERT_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  // From 26.2 on the setting above counts only with this one.
  deduplicate_insert: 'backward_compatible_choice',
  insert_null_as_default: 0,
  input_format_null_as_default: 0,
  input_format_skip_unknown_fields: 0,
  input_format_parallel_parsing: 0,
  input_format_tsv_empty_as_default: 0,
  input_format_tsv_detect_header: 0,
  input_format_tsv_skip_first_lines: '0',
  input_format_tsv_allow_variable_number_of_columns: 0,
  input_format_tsv_crlf_end_of_line: 0,
  input_format_allow_errors_num: '0',
  input_format_allow_errors_ratio: 0,
  max_insert_block_size: '1048576',
  min_insert_block_size_rows: '1048576',
  min_insert_block_size_bytes: '1073741824',
  max_partitions_per_insert_block: '1',
  throw_on_max_partitions_per_insert_block: 1,
};

/**
 * Settings every verifying read carries, so that a profile or a filter set elsewhere cannot hide rows or cut the
 * answer short without an error.
 */
export const READ_SETTINGS: readonly (readonly [string, string])[] = [
  ['apply_deleted_mask', '1'],
  ['additional_table_filters', '{}'],
  ['additional_result_filter', "''"],
  ['final', '0'],
  ['limit', '0'],
  ['offset', '0'],
  ['max_rows_to_read', '0'],
  ['max_result_rows', '0'],
  ['read_overflow_mode', "'throw'"],
  ['read_overflow_mode_leaf', "'throw'"],
  ['result_overflow_mode', "'throw'"],
  ['sort_overflow_mode', "'throw'"],
  ['group_by_overflow_mode', "'throw'"],
  ['timeout_overflow_mode', "'throw'"],
  ['optimize_read_in_order', '1'],
  // The engine remembers where a condition held nowhere; that says nothing of the bytes as they are now.
  ['use_query_condition_cache', '0'],
  ['max_threads', '1'],
];

/** The SETTINGS clause of a verifying read, some values replaced. */
export function readSettings(changes: Readonly<Record<string, string>> = {}): string {
  return `SETTINGS ${READ_SETTINGS.map(([name, value]) => `${name} = ${changes[name] ?? value}`).join(', ')}`;
}

/** Every setting a statement of the store may carry. */
export const PINNED_SETTINGS: readonly string[] = [
  ...new Set([...Object.keys(INSERT_SETTINGS), ...READ_SETTINGS.map(([name]) => name)]),
];

/** The statement without its assignments to some pinned settings. */
export function withoutSettings(statement: string, names: ReadonlySet<string> | undefined): string {
  if (names === undefined || names.size === 0) return statement;
  const clause = statement.lastIndexOf('SETTINGS ');
  if (clause === -1) return statement;
  let kept = statement.slice(clause);
  for (const [name] of READ_SETTINGS) {
    // None of the values holds a comma, and `max_threads` comes last on every server.
    if (names.has(name)) kept = kept.replace(new RegExp(`(?<=[ ])${name} = [^,]*, `), '');
  }
  return statement.slice(0, clause) + kept;
}
