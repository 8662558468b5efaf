import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowedTableFunctions, deniedFunctions } from '../../../sinks/store/sql-endpoint/denied.ts';
import { ask, startEndpoint, type RunningEndpoint } from './endpoint-fixture.ts';

let endpoint: RunningEndpoint;
let target: string;
let secret: string;

beforeAll(async () => {
  endpoint = await startEndpoint();
  target = join(endpoint.directory, 'written-by-reader');
  secret = (await readFile('/etc/passwd', 'utf8')).split('\n')[0]!;
});
afterAll(async () => endpoint.stop());

/** Syntax error, unknown function, readonly, access denied: refused for what it is and not for some other fault. */
const refusalCodes = [62, 46, 164, 497];

const inEngine = (sql: string) => endpoint.writer.query(sql, 'TSVRaw').trim();

describe('a query that would write a file', () => {
  it.each([
    "SELECT 1 INTO OUTFILE '<F>'",
    "select 1 /* */ InTo /*x*/ oUtFiLe /**/ '<F>' TRUNCATE",
    "SELECT 1 INTO\n-- c\nOUTFILE '<F>' FORMAT CSV",
    "(SELECT 1) INTO OUTFILE '<F>'",
    "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '<F>'",
    "WITH x AS (SELECT 1) SELECT * FROM x INTO OUTFILE '<F>' AND STDOUT",
    "SELECT 1 INTO OUTFILE '<F>' APPEND COMPRESSION 'gzip'",
    'SELECT 1 INTO OUTFILE $h$<F>$h$',
    "SELECT 1 FORMAT CSV INTO OUTFILE '<F>'",
    "EXPLAIN SELECT 1 INTO OUTFILE '<F>'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '<F>'",
    "EXPLAIN SYNTAX SELECT 1 INTO OUTFILE '<F>'",
    "SHOW TABLES INTO OUTFILE '<F>'",
    "DESCRIBE TABLE custody.entries INTO OUTFILE '<F>'",
    "EXISTS TABLE custody.entries INTO OUTFILE '<F>'",
    "SHOW CREATE TABLE custody.entries INTO OUTFILE '<F>'",
    "SELECT * FROM (SELECT 1 INTO OUTFILE '<F>')",
    "WITH x AS (SELECT 1 INTO OUTFILE '<F>') SELECT * FROM x",
    "SELECT 1 PARALLEL WITH SELECT 2 INTO OUTFILE '<F>'",
    "SELECT 1; SELECT 2 INTO OUTFILE '<F>'",
    "INSERT INTO FUNCTION file('<F>', 'CSV') SELECT 1",
    "BACKUP TABLE custody.entries TO File('<F>')",
    "BACKUP DATABASE custody TO Disk('default', '<F>')",
    "CREATE TABLE x ENGINE = File(CSV, '<F>') AS SELECT 1",
    "SELECT * FROM eval('SELECT 1 INTO OUTFILE \\'<F>\\'')",
  ])('is refused and writes nothing: %s', async (sql) => {
    const answer = await ask(endpoint, sql.replaceAll('<F>', target));
    expect(refusalCodes).toContain(answer.code);
    expect(existsSync(target)).toBe(false);
    expect(await readdir(endpoint.resultDirectory)).toEqual([]);
  });
});

describe('a query that would read a file', () => {
  it.each([
    "SELECT file('/etc/passwd')",
    "SELECT FILE('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    'SELECT "file"(\'/etc/passwd\')',
    "SELECT `fi\\x6ce`('/etc/passwd')",
    "SELECT file\n/* c */ ('/etc/passwd')",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "WITH (x -> file(x)) AS f SELECT f('/etc/passwd')",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
    "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/passwd')",
    "SELECT COLUMNS('x') APPLY file FROM (SELECT '/etc/passwd' AS x)",
    "SELECT * REPLACE(file(x) AS x) FROM (SELECT '/etc/passwd' AS x)",
    "SELECT 1 IN file('/etc/passwd', 'CSV')",
    "SELECT 1 LIMIT length(file('/etc/passwd'))",
    "SHOW TABLES WHERE throwIf(1, file('/etc/passwd'))",
    "SHOW COLUMNS FROM custody.entries WHERE file('/etc/passwd') != ''",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM file('/etc/passwd', 'LineAsString', 's String')",
    "DESCRIBE file('/etc/passwd', 'CSV')",
    "EXPLAIN SELECT * FROM file('/etc/passwd', 'CSV')",
    "EXPLAIN TABLE OVERRIDE file('/etc/passwd', 'CSV') COLUMNS (a Int)",
    "SELECT * FROM fileCluster('default', '/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('file:///etc/passwd', 'LineAsString')",
    "SELECT * FROM sqlite('/etc/passwd', 'x')",
    "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM executable('cat /etc/passwd', 'TSV', 'x String')",
    "SELECT * FROM icebergLocal('/etc')",
    "SELECT * FROM deltaLakeLocal('/etc')",
    "SELECT * FROM view(SELECT file('/etc/passwd'))",
    "SELECT * FROM eval('SELECT file(\\'/etc/passwd\\')')",
    "SELECT catboostEvaluate('/etc/passwd', 1)",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
    "SELECT 1 SETTINGS format_schema = '/etc/passwd' FORMAT Protobuf",
    'SELECT * FROM (SELECT 1) SETTINGS readonly = 0',
    'SELECT * FROM (SELECT * FROM numbers(1) SETTINGS readonly = 0, max_threads = 8)',
    "SELECT * FROM (SELECT * FROM file('/etc/passwd', 'LineAsString') SETTINGS readonly = 0)",
    "SELECT * FROM (SELECT * FROM url('file:///etc/passwd', 'LineAsString') SETTINGS readonly = 0)",
    'SELECT 1 WHERE 1 IN (SELECT 1 SETTINGS max_memory_usage = 0)',
    'SHOW TABLES WHERE name IN (SELECT name FROM numbers(1) SETTINGS readonly = 0)',
  ])('is refused and tells nothing: %s', async (sql) => {
    const answer = await ask(endpoint, sql);
    expect(refusalCodes).toContain(answer.code);
    expect(answer.text).not.toContain(secret);
  });

  it.each([
    ["SELECT arrayMap({f:Identifier}, ['/etc/passwd'])", { param_f: 'file' }],
    ["SELECT arrayMap({f:Identifier}, ['/etc/passwd'])", { param_f: '`file`' }],
    ["SELECT {f:Identifier}('/etc/passwd')", { param_f: 'file' }],
    ["SELECT * APPLY {f:Identifier} FROM (SELECT '/etc/passwd')", { param_f: 'file' }],
    ['SELECT * FROM {t:Identifier}', { param_t: "file('/etc/passwd', 'LineAsString')" }],
  ])('is refused when the name comes as a parameter: %s', async (sql, parameters) => {
    const answer = await ask(endpoint, sql, parameters);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toContain(secret);
  });

  it('would otherwise work, so that these tests can fail', () => {
    expect(inEngine("SET readonly = 0; SELECT file('/etc/passwd')")).toContain(secret);
  });
});

describe('a query that would reach another host or process', () => {
  it.each([
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM clusterAllReplicas('default', system.processes)",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/b/k', 'CSV', 'a String')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 'a String')",
    "SELECT * FROM azureBlobStorage('x', 'y', 'z')",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'd', 't', 'u', 'p', 'x String')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
    "SELECT * FROM jdbc('x', 'y')",
    "SELECT * FROM odbc('x', 'y')",
    "SELECT * FROM dictionary('x')",
    "SELECT aiGenerate('x', 'y')",
    "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(HTTP(url 'http://127.0.0.1:1' format CSV)) LAYOUT(FLAT())",
  ])('is refused: %s', async (sql) => {
    const answer = await ask(endpoint, sql);
    expect([164, 497, 46, 62]).toContain(answer.code);
  });
});

describe('a statement that changes something', () => {
  it.each([
    "INSERT INTO custody.entries VALUES (1, 'x')",
    "INSERT INTO custody.entries SELECT 1, 'x'",
    'DROP TABLE custody.entries',
    'TRUNCATE TABLE custody.entries',
    'DELETE FROM custody.entries WHERE 1',
    "UPDATE custody.entries SET body = '' WHERE 1",
    'ALTER TABLE custody.entries DELETE WHERE 1',
    'OPTIMIZE TABLE custody.entries FINAL',
    'RENAME TABLE custody.entries TO custody.gone',
    'EXCHANGE TABLES custody.entries AND custody.entries',
    'DETACH TABLE custody.entries',
    'ATTACH TABLE custody.entries',
    'CREATE TABLE custody.x (a Int8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE x (a Int8)',
    'CREATE VIEW custody.v AS SELECT 1',
    'CREATE FUNCTION f AS x -> x',
    'CREATE USER u',
    'GRANT ALL ON *.* TO default',
    'SET readonly = 0',
    'SET max_memory_usage = 0',
    "SET param_x = '1'",
    'SYSTEM SHUTDOWN',
    'SYSTEM FLUSH LOGS',
    'SYSTEM STOP MERGES',
    'KILL QUERY WHERE 1',
    'KILL MUTATION WHERE 1',
    'USE system',
    'BEGIN TRANSACTION',
    'CHECK TABLE custody.entries',
    "RESTORE TABLE custody.entries FROM Disk('default', 'x')",
    'EXECUTE AS default SELECT 1',
    'UNDROP TABLE custody.entries',
    'SELECT 1; DROP TABLE custody.entries',
    '; DROP TABLE custody.entries',
    'SELECT 1;;DROP TABLE custody.entries',
    'SELECT 1 PARALLEL WITH DROP TABLE custody.entries',
    "EXPLAIN PIPELINE INSERT INTO custody.entries SELECT 1, 'x'",
    'EXPLAIN DROP TABLE custody.entries',
    '(DROP TABLE custody.entries)',
  ])('is refused and the table stays as it was: %s', async (sql) => {
    const answer = await ask(endpoint, sql);
    expect(refusalCodes).toContain(answer.code);
    expect(inEngine('SELECT count() FROM custody.entries')).toBe('1000');
    expect(inEngine('SHOW TABLES FROM custody')).toBe('entries');
  });
});

describe('what the engine knows of its host and of other readers', () => {
  it.each([
    'SELECT * FROM system.processes',
    'SELECT * FROM `system`.`processes`',
    'SELECT * FROM "system"."processes" AS p',
    'SELECT * FROM system.users',
    'SELECT * FROM system.server_settings',
    'SELECT * FROM system.macros',
    'SELECT * FROM system.disks',
    'SELECT * FROM system.errors',
    'SELECT * FROM system.stack_trace',
    'SELECT * FROM system.named_collections',
    "SELECT 'x' IN system.processes",
    "SELECT 'x' GLOBAL NOT IN (system.processes)",
    'SELECT * FROM view(SELECT * FROM system.processes)',
    'SELECT (SELECT count() FROM system.processes)',
    'WITH a AS (SELECT * FROM system.processes) SELECT * FROM a',
    'SELECT * FROM custody.entries AS e JOIN system.processes AS p ON 1 = 1',
    'SELECT system.processes.query FROM custody.entries, system.processes',
    "SELECT * FROM merge('system', '^processes$')",
    "SELECT * FROM merge(REGEXP('system'), 'processes')",
    'SELECT * APPLY(x -> x IN (SELECT query FROM system.processes)) FROM numbers(1)',
    'SELECT * APPLY (x -> (SELECT any(query) FROM system.processes)) FROM numbers(1)',
    'SHOW TABLES WHERE name NOT IN (SELECT query FROM system.processes)',
    'SHOW COLUMNS FROM custody.entries WHERE field NOT IN (SELECT query FROM system.processes)',
    'SELECT 1 ORDER BY 1 WITH FILL FROM (SELECT count() FROM system.processes)',
    'SELECT quantile((SELECT count() FROM system.processes))(1)',
    'SHOW PROCESSLIST',
    'SHOW GRANTS',
    'SHOW USERS',
    'SHOW ACCESS',
    'DESCRIBE system.processes',
    'EXPLAIN SELECT * FROM system.processes',
    "SELECT getServerSetting('path')",
    'SELECT showCertificate()',
    'SELECT `x\n TableIdentifier system.one`, 1 FROM system.processes',
  ])('is refused: %s', async (sql) => {
    const answer = await ask(endpoint, sql);
    expect([164, 497, 62]).toContain(answer.code);
  });

  it('is refused when the name of the table comes in parts as parameters', async () => {
    const parts = { param_d: 'system', param_t: 'processes' };
    expect((await ask(endpoint, 'SELECT * FROM {d:Identifier}.{t:Identifier}', parts)).code).toBe(497);
    const hidden = 'SELECT * APPLY (x -> x IN ({t:Identifier})) FROM numbers(1)';
    expect((await ask(endpoint, hidden, { param_t: 'system.processes' })).code).toBe(497);
    const shown = 'SHOW TABLES WHERE name IN ({t:Identifier})';
    expect((await ask(endpoint, shown, { param_t: 'system.processes' })).code).toBe(497);
    const whole = { param_t: 'system.processes' };
    expect((await ask(endpoint, 'SELECT * FROM {t:Identifier}', whole)).status).toBeGreaterThanOrEqual(400);
  });

  it('is refused when the database is chosen outside the statement', async () => {
    expect((await ask(endpoint, 'SELECT * FROM processes', { database: 'system' })).code).toBe(497);
    const header = { headers: { 'X-ClickHouse-Database': 'system' } };
    expect((await ask(endpoint, 'SELECT * FROM processes', {}, header)).code).toBe(497);
    expect((await ask(endpoint, 'SELECT 1', { database: '`; DROP TABLE custody.entries; --' })).code).toBe(
      81,
    );
  });

  it('leaves what clients read of the schema', async () => {
    const answer = await ask(
      endpoint,
      "SELECT name FROM system.columns WHERE database = 'custody' AND table = 'entries' ORDER BY position",
    );
    expect(answer.text).toBe('seq\nbody\n');
  });
});

describe('settings and parameters as a way in', () => {
  it.each([
    ['readonly', '0'],
    ['readonly', '2'],
    ['allow_ddl', '1'],
    ['allow_introspection_functions', '1'],
    ['format_schema', '/etc/passwd'],
    ['format_template_row', '/etc/passwd'],
    ['output_format_schema', '/etc/passwd'],
    ['dialect', 'prql'],
    ['limit', '1'],
    ['additional_table_filters', "{'custody.entries': 'seq > 1'}"],
    ['user_files_path', '/'],
    ['max_memory_usage = 0, readonly', '0'],
    ['output_format_json_quote_64bit_integers` = 1, readonly = 0, `x', '1'],
    ['s3_max_connections', '1'],
    ['unknown_setting', '1'],
  ])('setting %s=%s is refused', async (name, value) => {
    const answer = await ask(endpoint, 'SELECT 1', { [name]: value });
    expect([164, 115]).toContain(answer.code);
    expect(answer.status).toBeLessThan(500);
  });

  it('a parameter value cannot leave its place', async () => {
    const hostile = "x'; DROP TABLE custody.entries; -- \\\\' \\'";
    const answer = await ask(endpoint, 'SELECT {v:String} AS v FORMAT JSONEachRow', {
      param_v: hostile.replaceAll('\\', '\\\\'),
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({ v: hostile });
    expect(inEngine('SELECT count() FROM custody.entries')).toBe('1000');
  });

  it.each([
    [{ "param_x='1', readonly": '0' }, 36],
    [{ default_format: "CSV' SETTINGS readonly=0" }, 36],
    [{ default_format: 'NoSuchFormat' }, 73],
    [{ query_id: 'a\r\nSet-Cookie: x=1' }, 36],
    [{ query_id: 'x'.repeat(200) }, 36],
    [{ max_execution_time: '1; DROP TABLE custody.entries' }, 36],
  ])('%j is refused with code %i', async (parameters, code) => {
    const answer = await ask(endpoint, 'SELECT 1', parameters);
    expect(answer.code).toBe(code);
    expect(answer.headers.get('set-cookie')).toBeNull();
  });
});

describe('the engine this was vetted against', () => {
  it('is the one installed: vet its functions, table functions and settings again, then change this version', () => {
    expect(inEngine('SELECT version()')).toMatch(/^26\.7\./);
  });

  it('allows no table function in readonly mode that is neither refused nor known to be harmless', () => {
    const names = inEngine('SELECT name FROM system.table_functions WHERE allow_readonly = 1').split('\n');
    const unknown = names
      .map((name) => name.toLowerCase())
      .filter((name) => !allowedTableFunctions.has(name) && !deniedFunctions.has(name));
    expect(unknown).toEqual([]);
  });
});
