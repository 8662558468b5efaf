import type { SqlConfig } from '../../../schemas/config.ts';
import { sqlIdentifier, sqlString } from '../sql-text.ts';
import { refusals } from './exceptions.ts';

/** Limits a request may tighten and never loosen; 0 asks for "no limit" and gets ours. */
function limits(config: SqlConfig): ReadonlyMap<string, number> {
  return new Map([
    ['max_execution_time', config.query_max_seconds],
    ['max_memory_usage', config.query_max_memory_bytes],
    ['max_threads', config.query_max_threads],
    ['max_result_bytes', config.result_max_bytes],
    ['max_temporary_data_on_disk_size_for_query', config.result_max_bytes * 4],
  ]);
}

/** Further limits of the engine that are off unless the request sets them; any value is a tightening. */
const optionalLimits: ReadonlySet<string> = new Set([
  'max_result_rows',
  'max_rows_to_read',
  'max_bytes_to_read',
  'max_rows_to_group_by',
  'max_rows_to_sort',
  'max_block_size',
  'max_columns_to_read',
]);

/** Presentation and semantics of a read. No setting that names a file, a path, a schema or a host. */
const passed: ReadonlySet<string> = new Set([
  'aggregate_functions_null_for_empty',
  'allow_experimental_analyzer',
  'cast_keep_nullable',
  'date_time_input_format',
  'date_time_output_format',
  'describe_compact_output',
  'empty_result_for_aggregation_by_empty_set',
  'extremes',
  'group_by_use_nulls',
  'join_default_strictness',
  'join_use_nulls',
  'joined_subquery_requires_alias',
  'prefer_column_name_to_alias',
  'session_timezone',
  'show_table_uuid_in_table_create_query_if_not_nil',
  'transform_null_in',
  'union_default_mode',
]);
const passedPrefix = 'output_format_';
const pathLike = /schema|path|file|template|directory|url|header/;

/** Settings of a verifying read, each with the only values it may have: they can show more of a table, never less. */
const verifying: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['apply_deleted_mask', new Set(['0', '1'])],
  ['additional_table_filters', new Set(['{}'])],
  ['additional_result_filter', new Set([''])],
  ['final', new Set(['0'])],
  ['limit', new Set(['0'])],
  ['offset', new Set(['0'])],
  ['read_overflow_mode', new Set(['throw'])],
  ['read_overflow_mode_leaf', new Set(['throw'])],
  ['sort_overflow_mode', new Set(['throw'])],
  ['group_by_overflow_mode', new Set(['throw'])],
  ['optimize_read_in_order', new Set(['1'])],
  ['use_query_condition_cache', new Set(['0'])],
]);

/** Sent by common clients; without meaning here, or already as asked. */
const ignored: ReadonlySet<string> = new Set([
  'async_insert',
  'wait_for_async_insert',
  'cancel_http_readonly_queries_on_client_close',
  'connect_timeout',
  'connect_timeout_with_failover_ms',
  'idle_connection_timeout',
  'insert_distributed_sync',
  'keep_alive_timeout',
  'load_balancing',
  'log_comment',
  'log_queries',
  'network_compression_method',
  'network_zstd_compression_level',
  'poll_interval',
  'priority',
  'receive_timeout',
  'replace_running_query',
  'result_overflow_mode',
  'send_logs_level',
  'send_progress_in_http_headers',
  'send_timeout',
  'timeout_overflow_mode',
  'use_client_time_zone',
  'use_concurrency_control',
  'use_query_cache',
  'use_uncompressed_cache',
  'wait_end_of_query',
]);
const ignoredPrefix = /^(?:http_|insert_quorum|distributed_|tcp_keep_alive)/;

/** Sets the bounds every query runs in, before anything of the request reaches the connection. */
export function limitsSql(config: SqlConfig): string {
  const assignments = [...limits(config)].map(([name, value]) => `${name} = ${value}`);
  return `SET ${[
    ...assignments,
    "timeout_overflow_mode = 'throw'",
    "result_overflow_mode = 'throw'",
    'max_ast_elements = 50000',
    'max_expanded_ast_elements = 500000',
    'max_query_size = 8388608',
    'implicit_select = 0',
    'allow_introspection_functions = 0',
    'allow_ddl = 0',
    'use_query_cache = 0',
    'log_queries = 0',
    // Quoting a UInt64 in JSON is what a ClickHouse server does not do since 25.8; clients may ask for it.
    'output_format_json_quote_64bit_integers = 0',
  ].join(', ')}`;
}

/**
 * Turns the settings of a request into one SET statement, or nothing.
 * @throws SqlException READONLY for every setting that is neither passed on, nor bounded, nor known to be harmless.
 */
export function requestSettingsSql(
  requested: ReadonlyMap<string, string>,
  config: SqlConfig,
): string | undefined {
  const bounds = limits(config);
  const assignments: string[] = [];
  for (const [name, value] of requested) {
    const bound = bounds.get(name);
    if (bound !== undefined || optionalLimits.has(name)) {
      const asked = boundedNumber(name, value);
      if (bound === undefined) assignments.push(`${name} = ${asked}`);
      else if (asked > 0 && asked < bound) assignments.push(`${name} = ${asked}`);
    } else if (verifying.get(name)?.has(value) === true) {
      assignments.push(`${name} = ${sqlString(value)}`);
    } else if (passed.has(name) || (name.startsWith(passedPrefix) && !pathLike.test(name))) {
      assignments.push(`${sqlIdentifier(name)} = ${sqlString(value)}`);
    } else if (!ignored.has(name) && !ignoredPrefix.test(name) && !(name === 'readonly' && value === '1')) {
      throw refusals.readonly(`Cannot modify '${printable(name)}' setting in readonly mode.`);
    }
  }
  return assignments.length === 0 ? undefined : `SET ${assignments.join(', ')}`;
}

function boundedNumber(name: string, value: string): number {
  if (!/^\d{1,15}(?:\.\d{1,6})?$/.test(value)) {
    throw refusals.badArguments(
      `Cannot parse the value of setting '${name}': a non-negative number expected.`,
    );
  }
  // max_execution_time may be a fraction of a second; everything else is whole.
  return name === 'max_execution_time' ? Number(value) : Math.trunc(Number(value));
}

/** SET for `param_<name>` values, which arrive as ClickHouse's TSV-escaped text and are bound by the engine's parser. */
export function parametersSql(parameters: ReadonlyMap<string, string>): string | undefined {
  const assignments: string[] = [];
  for (const [name, value] of parameters) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      throw refusals.badArguments(`Cannot use query parameter '${printable(name)}': not a valid name.`);
    }
    assignments.push(`param_${name} = ${sqlString(value)}`);
  }
  return assignments.length === 0 ? undefined : `SET ${assignments.join(', ')}`;
}

const printable = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 128);
