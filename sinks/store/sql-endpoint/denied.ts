/**
 * What `readonly = 1` of the engine lets through and this endpoint must not. Vetted against the function, table
 * function and table lists of ClickHouse 26.7; a test fails when the engine's lists change.
 */

/**
 * Functions that read files, reach the network or other processes, write the server log, tell about the host, or run
 * SQL given as text (which no parser sees). Lower case. `file` is the one that matters: under `readonly = 1` the
 * scalar `file('/etc/passwd')` still returns the file. Functions can be passed by bare name
 * (`arrayMap(file, …)`, `APPLY file`), so these words are refused wherever an identifier may stand.
 */
export const deniedFunctions: ReadonlySet<string> = new Set([
  'file',
  'aiclassify',
  'aiembed',
  'aiextract',
  'aigenerate',
  'aitranslate',
  'catboostevaluate',
  'evalmlmethod',
  'naivebayesclassifier',
  'naivebayesclassifierwithallprobs',
  'naivebayesclassifierwithprob',
  'addresstoline',
  'addresstolinewithinlines',
  'addresstosymbol',
  'filesystemavailable',
  'filesystemcapacity',
  'filesystemunreserved',
  'getclienthttpheader',
  'getmacro',
  'getserversetting',
  'showcertificate',
  'logtrace',
  'generateserialid',
  'zookeepersessionuptime',
  'lemmatize',
  'synonyms',
  'detectcharset',
  // Table functions the engine allows in readonly mode.
  'eval',
  'cluster',
  'clusterallreplicas',
  'input',
  'merge',
  'mergetreeanalyzeindexes',
  'mergetreeanalyzeindexesuuid',
  'mergetreeindex',
  'mergetreeprojection',
  'mergetreetextindex',
  'viewifpermitted',
  'fuzzjson',
  'fuzzquery',
]);

/** The only table functions that may be called. */
export const allowedTableFunctions: ReadonlySet<string> = new Set([
  'generaterandom',
  'generateseries',
  'generate_series',
  'null',
  'numbers',
  'numbers_mt',
  'primes',
  'sqlstandardvalues',
  'values',
  'view',
]);

/** The only tables of the database `system` that may be read: metadata, no processes, users, errors or host state. */
export const allowedSystemTables: ReadonlySet<string> = new Set([
  'aggregate_function_combinators',
  'build_options',
  'codecs',
  'collations',
  'columns',
  'constraints',
  'contributors',
  'data_skipping_index_types',
  'data_skipping_indices',
  'data_type_families',
  'database_engines',
  'databases',
  'detached_parts',
  'dictionaries',
  'documentation',
  'formats',
  'functions',
  'keywords',
  'licenses',
  'merge_tree_settings',
  'mutations',
  'numbers',
  'numbers_mt',
  'one',
  'parts',
  'parts_columns',
  'primes',
  'projection_parts',
  'projections',
  'settings',
  'settings_changes',
  'table_engines',
  'table_functions',
  'tables',
  'time_zones',
  'unicode',
  'zeros',
  'zeros_mt',
]);

/** Statements that may run, by the name of their root in the engine's syntax tree. Nothing else does. */
export const allowedStatements: ReadonlySet<string> = new Set([
  'SelectWithUnionQuery',
  'SelectQuery',
  'SelectIntersectExceptQuery',
  'Explain',
  'DescribeQuery',
  'ExistsTableQuery',
  'ExistsViewQuery',
  'ExistsDatabaseQuery',
  'ExistsDictionaryQuery',
  'ShowTables',
  'ShowColumns',
  'ShowIndexes',
  'ShowFunctions',
  'ShowEngineQuery',
  'ShowSetting',
  'ShowCreateTableQuery',
  'ShowCreateViewQuery',
  'ShowCreateDatabaseQuery',
]);
