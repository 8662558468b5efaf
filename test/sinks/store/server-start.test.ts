import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CustodyError } from '../../../runtime/errors.ts';
import { migrateStore } from '../../../sinks/store/migrate.ts';
import { createServerClient } from '../../../sinks/store/server-client.ts';
import { openServerStore, type ServerStoreOptions } from '../../../sinks/store/server-store.ts';
import { verifies } from '../../requirements.ts';
import { createAuthority } from '../../support/certificates.ts';
import type { Fault } from '../../support/clickhouse/control.ts';
import { serverConfig } from '../../support/clickhouse/server-config.ts';
import { startFront, type Front } from '../../support/clickhouse/start-front.ts';

const USER = { user: 'custody_writer', password: 'right' };
let server: Front;
beforeAll(async () => {
  server = await startFront(USER);
});
afterAll(() => server.stop());

async function refusal(options: Partial<ServerStoreOptions> = {}): Promise<CustodyError> {
  try {
    await (
      await openServerStore({ config: serverConfig(server.url), password: USER.password, ...options })
    ).close();
  } catch (error) {
    return error as CustodyError;
  }
  throw new Error('the server was accepted');
}
async function command(query: string): Promise<void> {
  const client = createServerClient({ config: serverConfig(server.url), password: USER.password });
  await client.command({ query }).finally(() => client.close());
}
async function migrated(): Promise<void> {
  await command('DROP DATABASE IF EXISTS custody');
  const client = createServerClient({ config: serverConfig(server.url), password: USER.password });
  await migrateStore(client).finally(() => client.close());
}

describe('what stands in the way of a server is said in one sentence', () => {
  test.each([
    ['an unknown host', 'http://no-such-host.invalid:8123', 'there is no host of that name'],
    ['a port nothing listens on', 'http://127.0.0.1:1', 'nothing listens there'],
  ])('%s', async (_what, url, reason) => {
    verifies('P10');
    const error = await refusal({ config: serverConfig(url) });
    expect(error).toMatchObject({ name: 'TransientError', code: 'unavailable' });
    expect(error.message).toBe(`cannot use ClickHouse at ${url}: ${error.message.split(': ')[1] ?? ''}`);
    expect(error.message).toContain(reason);
    expect(error.message).toContain('store.url');
  });

  test.each([
    ['that is not ClickHouse', 500, '<html>no</html>', 'not as ClickHouse does'],
    ['that answers anything', 200, '<html>yes</html>', 'not as ClickHouse does'],
    ['that is too old', 200, '24.3.18.7\n', 'version 24.3.18.7 is too old (24.8 or newer is needed)'],
    ['that is far too old', 200, '9.9.9', 'version 9.9.9 is too old'],
    ['that is in front of none', 502, '', 'not as ClickHouse does'],
  ])('a server %s', async (_what, status, body, reason) => {
    const other = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const error = await refusal({ config: serverConfig(url) });
    expect(error.message).toContain(reason);
    expect(error.message).not.toContain('html');
    other.close();
  });

  test('a server that takes the connection and says nothing', async () => {
    const silent = await startFront();
    await silent.pause();
    const error = await refusal({ config: serverConfig(silent.url, { request_timeout_ms: 1000 }) });
    expect(error).toMatchObject({ name: 'TransientError', code: 'unavailable' });
    await silent.stop();
  });

  test('a password that is wrong, and it is in no message', async () => {
    const error = await refusal({ password: 'wrong-secret' });
    expect(error).toMatchObject({ name: 'PermanentError', code: 'config_invalid' });
    expect(error.message).toContain('check store.username and store.password');
    expect(error.message).not.toContain('wrong-secret');
  });

  test('no tables, and then tables of a newer version', async () => {
    await command('DROP DATABASE IF EXISTS custody');
    const missing = await refusal();
    expect(missing).toMatchObject({ name: 'PermanentError', code: 'rejected' });
    expect(missing.message).toContain('its tables are missing (run custody migrate)');
    await migrated();
    await command("INSERT INTO custody.migrations VALUES (99, '0099-later')");
    expect((await refusal()).message).toContain('schema version 99 is newer than 4');
  });

  test('a table that was dropped after the migration', async () => {
    await migrated();
    await command('DROP TABLE custody.entries SYNC');
    expect((await refusal()).message).toContain('its tables are missing (run custody migrate)');
  });

  test.each([
    ['ALTER TABLE custody.entries MODIFY COLUMN tool_name String', 'tool_name'],
    ["ALTER TABLE custody.entries MODIFY COLUMN title String MATERIALIZED 'x'", 'title'],
    ['ALTER TABLE custody.entries ADD COLUMN extra String', 'extra'],
    ['ALTER TABLE custody.entries DROP CONSTRAINT leaf_ok', 'leaf_ok'],
    ['ALTER TABLE custody.entries MODIFY SETTING fsync_after_insert = 0', 'engine'],
    ['ALTER TABLE custody.entries MODIFY TTL day + INTERVAL 1 DAY', 'engine'],
  ])('a table that is not as custody makes it: %s', async (statement, where) => {
    verifies('P4');
    await migrated();
    await command(statement);
    const error = await refusal();
    expect(error).toMatchObject({ name: 'PermanentError', code: 'rejected' });
    expect(error.message).toContain(`table custody.entries is not as custody makes it: ${where} (`);
  });

  test('a table of a single server where a cluster is configured', async () => {
    await migrated();
    const error = await refusal({ config: serverConfig(server.url, { cluster: 'c' }) });
    expect(error.message).toContain('is not as custody makes it: engine (');
  });
});

describe('what only the engine refuses', () => {
  const failsWith = (statement: string, code: number, symbol: string, message = symbol): Fault => ({
    statement,
    when: 'before',
    exception: { code, symbol, message },
  });

  test.each([
    [
      failsWith(
        'INSERT INTO custody.entries',
        497,
        'ACCESS_DENIED',
        "w: Not enough privileges. To execute this query, it's necessary to have the grant INSERT(log, tenant) ON custody.entries.",
      ),
      'rejected',
      'the user lacks GRANT INSERT ON custody.entries (see deploy/clickhouse/roles.sql)',
    ],
    [
      failsWith(
        'SELECT seq FROM custody.entries',
        497,
        'ACCESS_DENIED',
        "w: Not enough privileges. To execute this query, it's necessary to have the grant SELECT(seq) ON custody.entries.",
      ),
      'rejected',
      'the user lacks GRANT SELECT ON custody.entries',
    ],
    [failsWith('INSERT INTO', 164, 'READONLY'), 'rejected', 'the user is read-only'],
    [
      failsWith('SELECT seq', 452, 'SETTING_CONSTRAINT_VIOLATION'),
      'rejected',
      'a settings profile forbids a setting',
    ],
    [failsWith('INSERT INTO', 285, 'TOO_FEW_LIVE_REPLICAS'), 'unavailable', 'engine error 285'],
    [failsWith('INSERT INTO', 242, 'TABLE_IS_READ_ONLY'), 'unavailable', 'engine error 242'],
    [failsWith('version()', 202, 'TOO_MANY_SIMULTANEOUS_QUERIES'), 'overloaded', 'engine error 202'],
    [failsWith('SELECT seq', 271, 'CANNOT_DECOMPRESS'), 'rejected', 'engine error 271'],
  ])('%s', async (fault, code, reason) => {
    await migrated();
    await server.plan(fault);
    const error = await refusal();
    await server.plan();
    expect(error.code).toBe(code);
    expect(error.message).toContain(reason);
  });

  test('a reader is not asked for the right to insert', async () => {
    await migrated();
    await server.plan(failsWith('INSERT INTO', 497, 'ACCESS_DENIED'));
    const store = await openServerStore({
      config: serverConfig(server.url),
      password: USER.password,
      access: 'read',
    });
    await store.close();
    await server.plan();
  });
});

describe('TLS', () => {
  const authority = createAuthority();
  const { certFile, keyFile } = authority.issue('clickhouse', ['IP:127.0.0.1']);
  let secure: Front;
  beforeAll(async () => {
    secure = await startFront({ certFile, keyFile });
  });
  afterAll(async () => {
    await secure.stop();
    authority.remove();
  });

  test('with the authority named the store opens, and migrates if it is told to', async () => {
    const config = serverConfig(secure.url, { ca_file: authority.caFile, migrate_on_start: true });
    const store = await openServerStore({ config });
    expect(store.schema).toEqual({});
    await store.close();
  });

  test('a certificate nobody vouches for is refused, and the fix is named', async () => {
    verifies('P8');
    const error = await refusal({ config: serverConfig(secure.url) });
    expect(error).toMatchObject({ name: 'PermanentError', code: 'config_invalid' });
    expect(error.message).toMatch(/its certificate is not trusted: \w+ \(set store.ca_file/);
  });

  test('a certificate of another name is refused', async () => {
    const config = serverConfig(secure.url.replace('127.0.0.1', 'localhost'), { ca_file: authority.caFile });
    expect((await refusal({ config })).message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('https where there is no TLS is told apart from a wrong certificate', async () => {
    const error = await refusal({ config: serverConfig(server.url.replace('http:', 'https:')) });
    expect(error).toMatchObject({ code: 'config_invalid' });
    expect(error.message).toContain('there is no TLS');
  });

  test('a file that is not there is named by its key', async () => {
    const error = await refusal({ config: serverConfig(secure.url, { ca_file: '/no/such/ca.pem' }) });
    expect(error).toMatchObject({ code: 'config_invalid', path: 'store.ca_file' });
  });
});
