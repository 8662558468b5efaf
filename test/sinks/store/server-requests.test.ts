import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClickHouseStore } from '../../../sinks/store/clickhouse-store.ts';
import { INSERT_SETTINGS, readSettings, withoutSettings } from '../../../sinks/store/pinned-settings.ts';
import { clusterInsertSettings, createServerClient } from '../../../sinks/store/server-client.ts';
import { serverConfig } from '../../support/clickhouse/server-config.ts';
import { startFront, type Front } from '../../support/clickhouse/start-front.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { sealed, source } from './ledger-harness.ts';
import { accessTo, emptyLedger, openServerHarness } from './server-harness.ts';

const entries = sealed([{ value: sampleEvent(1) }]);

describe('what a request carries', () => {
  let front: Front;
  beforeAll(async () => {
    front = await startFront();
  });
  afterAll(() => front.stop());

  test('an insert: every pinned setting and the token that names its content', async () => {
    const harness = await openServerHarness(front);
    await front.seen();
    await harness.store().append(entries);
    const [insert] = await front.seen();
    await harness.close();
    for (const [name, value] of Object.entries(INSERT_SETTINGS))
      expect(insert?.settings[name], name).toBe(String(value));
    expect(insert?.settings['insert_deduplication_token']).toBe(
      `custody.events/0:0-0:${entries.at(-1)?.leaf ?? ''}`,
    );
    expect(insert?.settings).not.toHaveProperty('insert_quorum');
  });

  test('on a cluster an insert asks for the quorum and a read for everything acknowledged', async () => {
    await emptyLedger(front);
    const config = serverConfig(front.url, { cluster: 'replicas', request_timeout_ms: 20_000 });
    const client = createServerClient({ config });
    const store = createClickHouseStore(client, { insertSettings: clusterInsertSettings(config) });
    await front.seen();
    await store.append(entries);
    await store.logs(source);
    const [insert, ...reads] = await front.seen();
    await store.close();
    expect(insert?.settings).toMatchObject({
      insert_quorum: 'auto',
      insert_quorum_parallel: '0',
      insert_quorum_timeout: '10000',
      insert_deduplicate: '1',
    });
    expect(reads).toHaveLength(2);
    for (const read of reads) expect(read.settings['select_sequential_consistency']).toBe('1');
  });

  test('a quorum of a number is that number', () => {
    const config = serverConfig(front.url, { cluster: 'replicas', insert_quorum: 3 });
    expect(clusterInsertSettings(config)).toMatchObject({ insert_quorum: '3' });
  });

  test('a setting the server does not know is in no insert and in no statement', async () => {
    await emptyLedger(front);
    const unknown = new Set(['use_query_condition_cache', 'deduplicate_insert', 'apply_deleted_mask']);
    const store = createClickHouseStore(createServerClient(accessTo(front)), { unknownSettings: unknown });
    await front.seen();
    await store.append(entries);
    const seen = await front.seen();
    await store.close();
    expect(seen).toHaveLength(2);
    for (const { statement, settings } of seen) {
      for (const name of unknown) {
        expect(statement).not.toContain(name);
        expect(settings).not.toHaveProperty(name);
      }
    }
    expect(seen[1]?.statement).toContain('SETTINGS additional_table_filters = {}');
    expect(seen[1]?.statement).toContain('max_threads = 1 FORMAT RowBinary');
  });

  test('a text that looks like a setting, in the condition, is left alone', () => {
    const statement = `SELECT 1 WHERE x = 'final = 0, ' ${readSettings()} FORMAT RowBinary`;
    const kept = withoutSettings(statement, new Set(['final']));
    expect(kept).toContain("x = 'final = 0, '");
    expect(kept.slice(kept.indexOf('SETTINGS'))).not.toContain('final');
  });
});

/** Long enough for what is sent at once to be there at once. */
const SLOW_MS = 100;

describe('inserts into a cluster', () => {
  let server: Server;
  let running = 0;
  let together = 0;
  beforeAll(async () => {
    server = createServer((request, response) => {
      running += 1;
      together = Math.max(together, running);
      request.resume().on('end', () => {
        setTimeout(() => {
          running -= 1;
          response.writeHead(500).end('Code: 285. DB::Exception: x. (TOO_FEW_LIVE_REPLICAS)');
        }, SLOW_MS);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());

  test.each([
    [true, 1],
    [false, 4],
  ])('go one after the other, also after a failure: %s', async (oneInsertAtATime, most) => {
    together = 0;
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = createServerClient({ config: serverConfig(url) });
    // Reads do not wait for a turn; with none, only inserts are counted.
    const store = createClickHouseStore(
      new Proxy(client, {
        get: (target, name) =>
          name === 'exec'
            ? () => Promise.reject(new Error('no reads'))
            : (Reflect.get(target, name) as unknown),
      }),
      { oneInsertAtATime },
    );
    const appended = await Promise.allSettled([1, 2, 3, 4].map(() => store.append(entries)));
    expect(appended.every(({ status }) => status === 'rejected')).toBe(true);
    expect(together).toBe(most);
    await client.close();
  });
});

test('an error after progress was sent has status 200 and a header, and is an error', async () => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'x-clickhouse-progress': '{}', 'x-clickhouse-exception-code': '241' });
    response.end('Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = createClickHouseStore(createServerClient({ config: serverConfig(url) }));
  await expect(store.append(entries)).rejects.toMatchObject({ code: 'overloaded' });
  await expect(store.logs(source)).rejects.toMatchObject({ code: 'overloaded' });
  await store.close();
  server.close();
});
