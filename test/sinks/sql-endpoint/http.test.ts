import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeBlock } from '../../../sinks/store/sql-endpoint/compressed-blocks.ts';
import { ask, startEndpoint, type RunningEndpoint } from './endpoint-fixture.ts';

let endpoint: RunningEndpoint;
afterEach(async () => endpoint.stop());

/** Does not end by itself within any test. */
const runaway = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1';
const MiB = 1024 * 1024;

const runningCount = () =>
  Number(
    endpoint.writer.query(
      `SELECT count() FROM system.processes WHERE query LIKE '%numbers(1000000000000)%'
    AND query NOT LIKE '%processes%'`,
      'TSV',
    ),
  );

/** Resolves when `check` holds; the engine gives no event to await. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function outcomes(): Promise<Record<string, number>> {
  const { values } = await endpoint.metrics.sqlQueries.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels['outcome']), value]));
}

/** A request with headers `fetch` does not let through. */
function raw(
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port: endpoint.port, path, headers, method },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

describe('the HTTP surface', () => {
  it('answers the probes ClickHouse answers and 404 elsewhere', async () => {
    endpoint = await startEndpoint();
    for (const path of ['/ping', '/replicas_status', '/']) {
      expect(await raw(path, {})).toMatchObject({ status: 200, text: 'Ok.\n' });
    }
    expect((await raw('/play', {})).status).toBe(404);
    expect((await raw('/?query=SELECT+1', {}, 'DELETE')).status).toBe(405);
    expect(await raw('/?query=SELECT+1', {}, 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  it('tells what ran in the headers ClickHouse uses', async () => {
    endpoint = await startEndpoint();
    const { headers, text } = await ask(endpoint, 'SELECT count() FROM custody.entries WHERE seq >= 0', {
      query_id: 'my-query:1',
      default_format: 'CSV',
    });
    expect(text).toBe('1000\n');
    expect(headers.get('x-clickhouse-query-id')).toBe('my-query:1');
    expect(headers.get('x-clickhouse-format')).toBe('CSV');
    expect(headers.get('x-clickhouse-timezone')).toBeTruthy();
    expect(headers.get('x-clickhouse-server-display-name')).toBe('custody');
    expect(JSON.parse(headers.get('x-clickhouse-summary')!)).toMatchObject({ result_rows: '1' });
  });

  it('lets FORMAT in the statement win over default_format', async () => {
    endpoint = await startEndpoint();
    const { headers, text } = await ask(endpoint, 'SELECT 1 AS a FORMAT JSONEachRow;', {
      default_format: 'CSV',
    });
    expect(text).toBe('{"a":1}\n');
    expect(headers.get('x-clickhouse-format')).toBe('JSONEachRow');
  });

  it('runs the metadata statements analysts use', async () => {
    endpoint = await startEndpoint();
    expect((await ask(endpoint, 'SHOW TABLES FROM custody')).text).toBe('entries\n');
    expect((await ask(endpoint, 'EXISTS TABLE custody.entries')).text).toBe('1\n');
    expect((await ask(endpoint, 'DESCRIBE TABLE custody.entries')).text).toContain('body\tString');
    expect((await ask(endpoint, 'SHOW CREATE TABLE custody.entries')).text).toContain('MergeTree');
    expect((await ask(endpoint, 'EXPLAIN SELECT 1')).text).not.toBe('');
    expect((await ask(endpoint, 'SHOW TABLES', { database: 'custody' })).text).toBe('entries\n');
  });

  it('reads gzip and native-compressed request bodies', async () => {
    endpoint = await startEndpoint();
    const gzip = { body: gzipSync('SELECT 7'), headers: { 'Content-Encoding': 'gzip' } };
    expect((await ask(endpoint, '', {}, gzip)).text).toBe('7\n');
    const blocks = {
      body: Buffer.concat([encodeBlock(Buffer.from('SELECT')), encodeBlock(Buffer.from(' 8'))]),
    };
    expect((await ask(endpoint, '', { decompress: '1' }, blocks)).text).toBe('8\n');
  });

  it.each([
    ['too large', {}, { body: Buffer.alloc(MiB + 1, 32) }, 413],
    [
      'a compression bomb',
      {},
      { body: gzipSync(Buffer.alloc(64 * MiB)), headers: { 'Content-Encoding': 'gzip' } },
      413,
    ],
    ['broken gzip', {}, { body: 'SELECT 1', headers: { 'Content-Encoding': 'gzip' } }, 400],
    ['an unknown encoding', {}, { body: 'SELECT 1', headers: { 'Content-Encoding': 'snappy' } }, 400],
    ['no compressed block', { decompress: '1' }, { body: 'SELECT 1' }, 400],
    [
      'a multipart body',
      {},
      { body: 'x', headers: { 'Content-Type': 'multipart/form-data; boundary=x' } },
      501,
    ],
    ['empty', {}, { body: ' -- nothing' }, 400],
  ])('refuses a body that is %s', async (_what, parameters, init, status) => {
    endpoint = await startEndpoint();
    const answer = await ask(endpoint, '', parameters, init);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(/^Code: \d+\. DB::Exception: .* \([A-Z_]+\) \(version 26\./s);
  });

  it('answers bytes that are no HTTP and goes on', async () => {
    endpoint = await startEndpoint();
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(endpoint.port, '127.0.0.1', () => socket.write('\0\xff\r\n\r\n'));
      socket.on('data', (chunk) => resolve(chunk.toString()));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect((await ask(endpoint, 'SELECT 1')).text).toBe('1\n');
  });
});

describe('who may ask', () => {
  const tokens = [{ value: 'right-token', tenant: undefined }];
  const basic = (password: string) => `Basic ${Buffer.from(`anyone:${password}`).toString('base64')}`;

  it('accepts the token in every place ClickHouse clients put a password', async () => {
    endpoint = await startEndpoint({}, tokens);
    const ways: [Record<string, string>, Record<string, string>][] = [
      [{}, { Authorization: 'Bearer right-token' }],
      [{}, { Authorization: basic('right-token') }],
      [{}, { 'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': 'right-token' }],
      [{ user: 'default', password: 'right-token' }, {}],
    ];
    for (const [parameters, headers] of ways) {
      expect((await ask(endpoint, 'SELECT 1', parameters, { headers })).text).toBe('1\n');
    }
  });

  it('answers 401 without and 403 with a wrong one, before it reads the statement', async () => {
    endpoint = await startEndpoint({}, tokens);
    const none = await ask(endpoint, 'SELECT 1');
    expect([none.status, none.code]).toEqual([401, 194]);
    const wrong = await ask(endpoint, 'SELECT 1', {}, { headers: { Authorization: basic('wrong') } });
    expect([wrong.status, wrong.code]).toEqual([403, 516]);
    const overridden = { 'X-ClickHouse-Key': 'wrong', Authorization: 'Bearer right-token' };
    expect((await ask(endpoint, 'SELECT 1', {}, { headers: overridden })).status).toBe(403);
    expect(await outcomes()).toEqual({ unauthorized: 3 });
  });

  it('answers no web page that reaches it through a name of its own', async () => {
    endpoint = await startEndpoint();
    expect((await raw('/?query=SELECT+1', { Host: 'attacker.example' })).status).toBe(403);
    expect((await raw('/?query=SELECT+1', { Host: 'localhost:8123' })).status).toBe(200);
  });
});

describe('limits', () => {
  it('stops a query at the configured time, which a request may lower and never raise', async () => {
    endpoint = await startEndpoint({ query_max_seconds: 1 });
    const raised = await ask(endpoint, runaway, { max_execution_time: '100' });
    expect([raised.status, raised.code]).toEqual([408, 159]);
    const off = await ask(endpoint, "SELECT getSetting('max_execution_time')", { max_execution_time: '0' });
    expect(off.text).toBe('1\n');
    const lowered = await ask(endpoint, "SELECT getSetting('max_execution_time')", {
      max_execution_time: '0.5',
    });
    expect(lowered.text).toBe('0.5\n');
    expect((await outcomes())['timeout']).toBe(1);
  });

  it('stops a query at the configured memory', async () => {
    endpoint = await startEndpoint({ query_max_memory_bytes: 64 * MiB });
    const answer = await ask(endpoint, 'SELECT length(groupArray(number)) FROM numbers(100000000)', {
      max_memory_usage: '100000000000',
    });
    expect([answer.status, answer.code]).toEqual([500, 241]);
  });

  it('stops a result at the configured size, also when only its text is large', async () => {
    endpoint = await startEndpoint({ result_max_bytes: 4 * MiB });
    const binary = await ask(endpoint, 'SELECT number FROM numbers(10000000)');
    expect(binary.code).toBe(396);
    const text = await ask(endpoint, "SELECT toFixedString('', 1000) FROM numbers(4000) FORMAT JSONEachRow");
    expect([200, 396]).toContain(text.status === 200 ? 200 : text.code);
    expect(await readdir(endpoint.resultDirectory)).toEqual([]);
  });

  it('runs no more queries at once than configured, lets some wait, and refuses the rest with code 202', async () => {
    endpoint = await startEndpoint({ concurrent_queries_max: 2 });
    const controller = new AbortController();
    const slow = [1, 2].map(() =>
      ask(endpoint, runaway, {}, { signal: controller.signal }).catch(() => 'gone'),
    );
    await until(() => runningCount() === 2);
    const waiting = Array.from({ length: 16 }, () => ask(endpoint, 'SELECT 1'));
    const refused = await Promise.race(waiting.concat(ask(endpoint, 'SELECT 2')));
    expect([refused.status, refused.code]).toEqual([503, 202]);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(runningCount()).toBe(2);
    controller.abort();
    expect(await Promise.all(slow)).toEqual(['gone', 'gone']);
    const answers = await Promise.all(waiting);
    expect(answers.filter(({ text }) => text === '1\n').length).toBeGreaterThanOrEqual(15);
  });

  it('leaves threads of the pool to the writer, whatever number of queries is configured', async () => {
    // A test process has the default pool of 4 threads: with 3 kept free one query runs at a time.
    endpoint = await startEndpoint({ concurrent_queries_max: 8 }, [], 3);
    const controller = new AbortController();
    const slow = Array.from({ length: 4 }, () =>
      ask(endpoint, runaway, {}, { signal: controller.signal }).catch(() => 'gone'),
    );
    await until(() => runningCount() > 0);
    await endpoint.writer.insert({ table: 'custody.entries', values: [{ seq: 5000, body: 'x' }] });
    expect(runningCount()).toBe(1);
    controller.abort();
    await Promise.all(slow);
  });

  it('stops a query in the engine when its client goes away', async () => {
    endpoint = await startEndpoint();
    const controller = new AbortController();
    const asked = ask(endpoint, runaway, {}, { signal: controller.signal });
    await until(() => runningCount() === 1);
    controller.abort();
    await expect(asked).rejects.toThrow();
    await until(async () => (await outcomes())['cancelled'] === 1);
    expect(runningCount()).toBe(0);
    expect(await readdir(endpoint.resultDirectory)).toEqual([]);
  });

  it('stops a scalar subquery, which the engine runs while it plans, and serves others meanwhile', async () => {
    endpoint = await startEndpoint();
    const controller = new AbortController();
    const asked = ask(endpoint, `SELECT (${runaway})`, {}, { signal: controller.signal });
    await until(() => runningCount() >= 1);
    expect((await ask(endpoint, 'SELECT 1')).text).toBe('1\n');
    controller.abort();
    await expect(asked).rejects.toThrow();
    await until(() => runningCount() === 0);
  });

  it('ends what runs when the endpoint stops', async () => {
    endpoint = await startEndpoint();
    const asked = ask(endpoint, runaway).catch(() => 'cut');
    await until(() => runningCount() === 1);
    await endpoint.stop();
    expect(await asked).toBe('cut');
    endpoint = await startEndpoint();
  });

  it('sends a result of 170 MB to a slow client without keeping it in memory', async () => {
    endpoint = await startEndpoint();
    await ask(endpoint, 'SELECT 1');
    const before = process.memoryUsage.rss();
    const response = await fetch(
      `${endpoint.url}/?query=${encodeURIComponent(
        'SELECT number, toString(number) FROM numbers(11000000)',
      )}`,
    );
    let seen = 0;
    let peak = 0;
    for await (const chunk of response.body!) {
      seen += (chunk as Uint8Array).length;
      if (peak === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    expect(seen).toBe(Number(response.headers.get('content-length')));
    expect(seen).toBeGreaterThan(170_000_000);
    expect(peak - before).toBeLessThan(150 * MiB);
  });
});
