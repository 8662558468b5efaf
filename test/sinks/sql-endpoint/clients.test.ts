import { execFile, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEndpoint, type RunningEndpoint } from './endpoint-fixture.ts';

const run = promisify(execFile);
let endpoint: RunningEndpoint;
let client: ClickHouseClient;

beforeAll(async () => {
  endpoint = await startEndpoint();
  client = createClient({ url: endpoint.url });
});
afterAll(async () => {
  await client.close();
  await endpoint.stop();
});

describe('@clickhouse/client, unmodified', () => {
  it('pings', async () => {
    expect(await client.ping()).toMatchObject({ success: true });
    expect(await client.ping({ select: true })).toMatchObject({ success: true });
  });

  it('reads rows as JSONEachRow', async () => {
    const rows = await client.query({
      query: 'SELECT seq, body FROM custody.entries ORDER BY seq LIMIT 2',
      format: 'JSONEachRow',
    });
    expect(await rows.json()).toEqual([
      { seq: 0, body: 'entry 0' },
      { seq: 1, body: 'entry 1' },
    ]);
    expect(rows.query_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('reads a JSON document with its statistics', async () => {
    const answer = await client.query({ query: 'SELECT count() AS n FROM custody.entries', format: 'JSON' });
    expect(await answer.json()).toMatchObject({ data: [{ n: 1000 }], rows: 1 });
  });

  it('reads CSV with one header, however many blocks there are', async () => {
    const answer = await client.query({
      query: 'SELECT number FROM numbers(300000)',
      format: 'CSVWithNames',
    });
    const lines = (await answer.text()).trimEnd().split('\n');
    expect(lines.length).toBe(300_001);
    expect(lines.filter((line) => line.includes('number'))).toEqual(['"number"']);
  });

  it('streams a large result', async () => {
    const answer = await client.query({ query: 'SELECT number FROM numbers(500000)', format: 'JSONEachRow' });
    let rowCount = 0;
    let last: unknown;
    for await (const rows of answer.stream()) {
      rowCount += rows.length;
      last = rows.at(-1)?.json();
    }
    expect(rowCount).toBe(500_000);
    expect(last).toEqual({ number: 499_999 });
  });

  it('binds parameters of every common kind', async () => {
    const answer = await client.query({
      query:
        'SELECT {text:String} AS text, {list:Array(String)} AS list, {n:UInt64} AS n, {at:DateTime} AS at, ' +
        '{nothing:Nullable(String)} AS nothing, {map:Map(String, UInt8)} AS map',
      format: 'JSONEachRow',
      query_params: {
        text: `it's a "tab"\there, a\nline, a back\\slash and ünïcode`,
        list: ["a'b", 'c\\d', 'e\tf'],
        n: 42,
        at: new Date('2026-01-02T03:04:05Z'),
        nothing: null,
        map: { a: 1 },
      },
    });
    expect(await answer.json()).toEqual([
      {
        text: `it's a "tab"\there, a\nline, a back\\slash and ünïcode`,
        list: ["a'b", 'c\\d', 'e\tf'],
        n: 42,
        at: '2026-01-02 03:04:05',
        nothing: null,
        map: { a: 1 },
      },
    ]);
  });

  it('takes compressed responses and its usual settings', async () => {
    const compressing = createClient({
      url: endpoint.url,
      compression: { response: true },
      database: 'custody',
      session_id: 'ignored',
      clickhouse_settings: {
        output_format_json_quote_64bit_integers: 1,
        max_execution_time: 5,
        wait_end_of_query: 1,
        date_time_input_format: 'best_effort',
      },
    });
    const answer = await compressing.query({
      query: 'SELECT max(seq) AS m FROM entries',
      format: 'JSONEachRow',
    });
    expect(answer.response_headers['content-encoding']).toBe('gzip');
    expect(await answer.json()).toEqual([{ m: '999' }]);
    await compressing.close();
  });

  it.each([
    ['SELECT 1)', '62', 'SYNTAX_ERROR'],
    ['SELECT * FROM custody.nothing', '60', 'UNKNOWN_TABLE'],
    ['SELECT nothing FROM custody.entries', '47', 'UNKNOWN_IDENTIFIER'],
    ['SELECT throwIf(number = 250000) FROM numbers(300000)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
  ])('gets the error of %s', async (query, code, type) => {
    await expect(client.query({ query, format: 'JSONEachRow' })).rejects.toMatchObject({ code, type });
  });

  it('is told that inserts are not for this endpoint', async () => {
    const insert = client.insert({
      table: 'custody.entries',
      values: [{ seq: 1, body: 'x' }],
      format: 'JSONEachRow',
    });
    await expect(insert).rejects.toMatchObject({ code: '164', type: 'READONLY' });
  });
});

describe('curl', () => {
  const curl = async (...args: string[]) => (await run('curl', ['-sS', ...args])).stdout;

  it('gets a result by URL, by body and by both', async () => {
    expect(await curl('-G', endpoint.url, '--data-urlencode', 'query=SELECT 1, 2')).toBe('1\t2\n');
    expect(await curl(endpoint.url, '--data-binary', 'SELECT 3 FORMAT CSV')).toBe('3\n');
    expect(await curl(`${endpoint.url}/?query=SELECT%204,`, '--data-binary', '5')).toBe('4\t5\n');
  });

  it.each(['gzip', 'deflate', 'br'])('reads a %s response', async (encoding) => {
    const url = `${endpoint.url}/?enable_http_compression=1&query=SELECT+number+FROM+numbers(3)`;
    const dump = await curl('-i', '--compressed', '-H', `Accept-Encoding: ${encoding}`, url);
    expect(dump.toLowerCase()).toContain(`content-encoding: ${encoding}`);
    expect(dump.endsWith('0\n1\n2\n')).toBe(true);
  });
});

const goModule = join(dirname(fileURLToPath(import.meta.url)), 'clickhouse-go');
const hasGo = spawnSync('go', ['version']).status === 0;

describe('clickhouse-go over HTTP, the library of the Grafana data source', () => {
  it.runIf(hasGo)('reads, binds, streams and gets errors with every compression it has', async () => {
    const { stdout } = await run('go', ['run', '.', `127.0.0.1:${endpoint.port}`], {
      cwd: goModule,
      env: { ...process.env, GOFLAGS: '-mod=readonly' },
    });
    expect(stdout.trim().split('\n')).toEqual([
      'none ok',
      'lz4 ok',
      'zstd ok',
      'gzip ok',
      'deflate ok',
      'br ok',
    ]);
  });
  it.skipIf(hasGo)('is not tested here: there is no go on this machine', () => undefined);
});
