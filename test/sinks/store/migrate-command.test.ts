import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../../cli/program.ts';
import { openServerStore } from '../../../sinks/store/server-store.ts';
import { startFront, type Front } from '../../support/clickhouse/start-front.ts';
import { accessTo, asOwner } from './server-harness.ts';

/** Of all four versions, with the line each writes about itself. */
const STATEMENTS = 21;

let server: Front;
beforeAll(async () => {
  server = await startFront({ user: 'custody_migrator', password: 'secret' });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});
beforeEach(() => {
  vi.stubEnv('CUSTODY_STORE_TYPE', 'clickhouse');
  vi.stubEnv('CUSTODY_STORE_URL', server.url);
  vi.stubEnv('CUSTODY_STORE_USERNAME', 'custody_migrator');
  vi.stubEnv('CUSTODY_STORE_PASSWORD_ENV', 'MIGRATOR_PASSWORD');
  vi.stubEnv('MIGRATOR_PASSWORD', 'secret');
});

async function custody(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => (out += String(text)) !== '');
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (err += String(text)) !== '');
  try {
    return { code: await run(['node', 'custody', ...args]), out, err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}
const databases = () =>
  asOwner(server, async (client) => {
    const result = await client.query({ query: "SHOW DATABASES LIKE 'custody'", format: 'TabSeparated' });
    return (await result.text()).trim();
  });

describe('custody migrate', () => {
  test('says what it would do and does it not, then does it, then has nothing to do', async () => {
    const dry = await custody('migrate', '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.out).toContain('CREATE TABLE IF NOT EXISTS custody.entries\n');
    expect(dry.out).toContain(`-- would run ${STATEMENTS} statements, schema version 0 to 4`);
    expect(await databases()).toBe('');

    const done = await custody('migrate');
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toContain(`-- done: ${STATEMENTS} statements, schema version 0 to 4`);
    expect(await databases()).toBe('custody');
    expect((await custody('migrate')).out).toBe('-- the schema is version 4; nothing to do\n');
  });

  test('its dry run can be run as it is', async () => {
    await asOwner(server, (client) => client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' }));
    const { out } = await custody('migrate', '--dry-run');
    for (const query of out
      .split(/;$/m)
      .map((text) => text.trim())
      .filter((text) => !text.startsWith('--')))
      await asOwner(server, (client) => client.command({ query }));
    expect((await custody('migrate')).out).toContain('nothing to do');
  });

  test('killed between two statements, it goes on where it was', async () => {
    await asOwner(server, (client) => client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' }));
    for (const statement of [
      'custody.entries',
      'custody.alerts',
      'INSERT INTO custody.migrations',
      'custody.anchor_entries',
      'custody.verify_entries',
      "'0003-",
      'VIEW custody.incidents',
      "'0004-",
    ]) {
      await server.plan({ statement, when: 'after', die: true });
      expect((await custody('migrate')).code).toBe(6);
      await server.restart();
    }
    expect((await custody('migrate')).out).toContain('the schema is version 4; nothing to do');
    const store = await openServerStore(accessTo(server));
    await store.close();
  });

  test('speaks JSON', async () => {
    await asOwner(server, (client) => client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' }));
    const report = JSON.parse((await custody('migrate', '--json', '--dry-run')).out) as {
      statements: string[];
    };
    expect(report).toMatchObject({ store: 'clickhouse', url: server.url, dry_run: true, from: 0, to: 4 });
    expect(report.statements).toHaveLength(STATEMENTS);
  });

  test('on a cluster every table is made on all replicas', async () => {
    await asOwner(server, (client) => client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' }));
    vi.stubEnv('CUSTODY_STORE_CLUSTER', 'custody_replicas');
    const { out } = await custody('migrate', '--json', '--dry-run');
    vi.stubEnv('CUSTODY_STORE_CLUSTER', undefined);
    const { statements } = JSON.parse(out) as { statements: string[] };
    expect(statements.filter((text) => text.startsWith('CREATE'))).toHaveLength(16);
    const schema = statements.filter((text) => !text.startsWith('INSERT INTO custody.migrations'));
    expect(statements.length - schema.length).toBe(4);
    for (const text of schema) expect(text).toContain("ON CLUSTER 'custody_replicas'");
    for (const text of statements.filter((each) => each.startsWith('CREATE TABLE')))
      expect(text).toContain(
        "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')",
      );
  });

  test('refuses a schema that is newer than the program', async () => {
    await custody('migrate');
    await asOwner(server, (client) =>
      client.command({ query: "INSERT INTO custody.migrations VALUES (7, '0007-later')" }),
    );
    const { code, err } = await custody('migrate');
    expect(code).toBe(6);
    expect(err).toContain('schema version 7 is newer than 4');
  });

  test('a password that is refused is a matter of configuration, one that is missing is named', async () => {
    vi.stubEnv('MIGRATOR_PASSWORD', 'wrong');
    const refused = await custody('migrate', '--json');
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.err)).toMatchObject({ error: { code: 'config_invalid' } });
    vi.stubEnv('MIGRATOR_PASSWORD', undefined);
    expect((await custody('migrate')).err).toContain('cannot read secret store.password');
  });

  test('a right that is missing is named', async () => {
    await server.plan({
      statement: 'CREATE DATABASE',
      when: 'before',
      exception: {
        code: 497,
        symbol: 'ACCESS_DENIED',
        message:
          "u: Not enough privileges. To execute this query, it's necessary to have the grant CREATE DATABASE ON custody.*.",
      },
    });
    await asOwner(server, (client) => client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' }));
    const { code, err } = await custody('migrate');
    expect(code).toBe(6);
    expect(err).toContain('the user lacks GRANT CREATE DATABASE ON custody.*');
  });

  test('an embedded store needs none', async () => {
    vi.stubEnv('CUSTODY_STORE_TYPE', 'embedded');
    for (const name of ['URL', 'USERNAME', 'PASSWORD_ENV']) vi.stubEnv(`CUSTODY_STORE_${name}`, undefined);
    const { code, out } = await custody('migrate');
    expect(code).toBe(0);
    expect(out).toContain('it is migrated whenever it is opened');
  });
});
