import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Session } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SINGLE } from '../../../sinks/store/migrations/migration.ts';
import { INSERT_SETTINGS, READ_SETTINGS } from '../../../sinks/store/pinned-settings.ts';
import { createServerClient, REQUEST_SETTINGS } from '../../../sinks/store/server-client.ts';
import { migrateServer, openServerStore } from '../../../sinks/store/server-store.ts';
import { WRITTEN_COLUMNS } from '../../../sinks/store/tab-separated.ts';
import { verifyStore } from '../../../sinks/store/verify-store.ts';
import { verifies } from '../../requirements.ts';
import { startFront, type Front } from '../../support/clickhouse/start-front.ts';
import { memoryState, memoryTopic } from '../../support/memory-topic.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { ledgerOf, source, START_MS } from './ledger-harness.ts';
import { accessTo } from './server-harness.ts';

const folder = fileURLToPath(new URL('../../../deploy/clickhouse/', import.meta.url));
const statementsOf = (file: string) =>
  readFileSync(join(folder, file), 'utf8')
    .replaceAll(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((text) => text.trim())
    .filter(Boolean);
const roles = statementsOf('roles.sql');
const users = statementsOf('users.sql');
const NAMES = ['writer', 'notary', 'reader', 'retention', 'migrator'];

/** `RIGHT table` of each grant to a role, as written. */
function grantsOf(role: string): string[] {
  return roles
    .filter((text) => text.startsWith('GRANT') && new RegExp(`TO custody_${role}_role\\b`).test(text))
    .flatMap((text) =>
      [...text.matchAll(/((?:[A-Z]+(?: [A-Z]+)*(?:\([^)]*\))?(?:, )?)+) ON ([\w.*]+)/g)].flatMap(
        ([, rights, table]) =>
          (rights ?? '')
            .replace(/^GRANT\s+/, '')
            .replaceAll(/\([^)]*\)/g, '')
            .split(', ')
            .map((right) => `${right.trim()} ${table ?? ''}`),
      ),
    )
    .sort();
}
const profileOf = (name: string) =>
  roles.find((text) => text.includes(`PROFILE OR REPLACE ${name} SETTINGS`)) ?? '';

describe('roles.sql and users.sql', () => {
  let session: Session;
  let path: string;
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'custody-roles-'));
    session = new Session(path);
  });
  afterAll(async () => {
    session.close();
    await rm(path, { recursive: true, force: true });
  });

  test.each([...roles, ...users].map((text) => [text.split('\n')[0] ?? '', text]))(
    'the engine reads: %s',
    async (_first, text) => {
      await expect(session.queryAsync(`EXPLAIN AST ${text}`, { format: 'Null' })).resolves.toBeDefined();
    },
  );

  test('have a role and a user of another name for each of the five', () => {
    expect(roles.filter((text) => text.startsWith('CREATE ROLE'))).toEqual(
      NAMES.map((name) => `CREATE ROLE IF NOT EXISTS custody_${name}_role`),
    );
    expect(users.map((text) => /REPLACE (\w+) .* DEFAULT ROLE (\w+)$/.exec(text)?.slice(1))).toEqual(
      NAMES.map((name) => [`custody_${name}`, `custody_${name}_role`]),
    );
  });

  test('hold no password: each user has a placeholder a server refuses', () => {
    for (const text of users) expect(text).toMatch(/sha256_hash BY '<[a-z]+-password-sha256>'/);
  });

  test('grant nobody at run time what changes or removes rows, makes things, or reads files', () => {
    verifies('P4');
    for (const role of ['writer', 'notary', 'reader']) {
      for (const grant of grantsOf(role)) expect(grant).toMatch(/^(SELECT|INSERT) (custody|system)\.\w+$/);
    }
    // The notary publishes what it signed; to the entries it signs over it adds none.
    expect(grantsOf('notary').filter((grant) => grant.startsWith('INSERT'))).toEqual(
      ['anchor_entries', 'anchor_evidence', 'checkpoints', 'subtrees'].map(
        (table) => `INSERT custody.${table}`,
      ),
    );
    // Column by column: INSERT on a whole table is what ATTACH PARTITION asks for.
    for (const table of ['anchor_entries', 'anchor_evidence', 'checkpoints', 'subtrees'])
      expect(roles.join()).not.toMatch(new RegExp(`INSERT ON custody\\.${table}\\b`));
    expect(grantsOf('reader').filter((grant) => grant.startsWith('INSERT'))).toEqual([]);
    for (const text of roles.filter((each) => each.startsWith('GRANT'))) {
      expect(text).not.toMatch(/GRANT OPTION|ALTER UPDATE|TRUNCATE|ALL ON|SYSTEM |BACKUP|FILE|URL|S3/);
    }
  });

  test('let the writer insert into the columns it writes and into no whole table, which ATTACH PARTITION asks for', () => {
    verifies('P4');
    const insert = /INSERT\(([^)]*)\) ON custody\.entries/.exec(roles.join());
    expect(insert?.[1]?.split(', ')).toEqual([...WRITTEN_COLUMNS]);
    expect(roles.join()).not.toMatch(/INSERT ON custody\.entries/);
  });

  test('let a reader set what verification and the client set, and nothing else', () => {
    const changeable = [profileOf('custody_reader'), profileOf('custody_reader_from_25_3')]
      .flatMap((text) => [...text.matchAll(/^\s*(\w+)[^,\n]* CHANGEABLE_IN_READONLY/gm)])
      .map(([, name]) => name);
    const ours = [
      ...READ_SETTINGS.map(([name]) => name),
      ...Object.keys(REQUEST_SETTINGS).filter((name) => name !== 'wait_end_of_query'),
      'enable_http_compression',
      'select_sequential_consistency',
      'max_execution_time',
      'max_memory_usage',
    ];
    expect(changeable.sort()).toEqual([...new Set(ours)].sort());
    expect(profileOf('custody_reader')).toContain('readonly = 1 CONST');
  });

  test('hold the writer to the values it sends', () => {
    const constants = [...profileOf('custody_writer').matchAll(/^\s*(\w+) = (\w+) CONST/gm)];
    expect(constants.length).toBeGreaterThan(5);
    for (const [, name = '', value] of constants) {
      if (name in INSERT_SETTINGS) expect(String(INSERT_SETTINGS[name])).toBe(value);
    }
    // Verification counts rows with the mask and without, and a burnt token is written past without deduplication.
    for (const name of ['apply_deleted_mask', 'insert_deduplicate'])
      expect(constants.map((each) => each[1])).not.toContain(name);
  });
});

describe('the grants cover every statement', () => {
  let server: Front;
  beforeAll(async () => {
    server = await startFront();
  });
  afterAll(() => server.stop());

  /** `RIGHT table` each statement asks for, by what it names. */
  function asked(statements: readonly string[]): string[] {
    const found = new Set<string>();
    for (const text of statements) {
      const made = /^CREATE (DATABASE|TABLE|OR REPLACE VIEW)/.exec(text)?.[1];
      if (made === 'OR REPLACE VIEW')
        for (const right of ['CREATE', 'DROP']) found.add(`${right} VIEW custody.*`);
      else if (made !== undefined) found.add(`CREATE ${made} custody.*`);
      for (const [, table = ''] of text.matchAll(/\b(?:FROM|JOIN) (\w+\.\w+)/g)) found.add(`SELECT ${table}`);
      for (const [, table = ''] of text.matchAll(/^INSERT INTO (\w+\.\w+)/g)) found.add(`INSERT ${table}`);
      if (made === 'TABLE') found.add(`TABLE ENGINE ${/\bENGINE = (\w+)/.exec(text)?.[1] ?? ''}`);
    }
    return [...found].sort();
  }

  test('of the migration, of the writer and of a verification', async () => {
    await server.seen();
    await migrateServer(accessTo(server));
    const migration = asked((await server.seen()).map(({ statement }) => statement));
    expect(migration).toEqual([
      'CREATE DATABASE custody.*',
      'CREATE TABLE custody.*',
      'CREATE VIEW custody.*',
      'DROP VIEW custody.*',
      'INSERT custody.migrations',
      'SELECT custody.anchor_entries',
      'SELECT custody.entries',
      'SELECT custody.incident_changes',
      'SELECT custody.incidents',
      'SELECT custody.migrations',
      'TABLE ENGINE MergeTree',
    ]);
    for (const right of migration) expect(grantsOf('migrator')).toContain(right);

    const topic = memoryTopic('custody.events', START_MS);
    const state = memoryState();
    await topic.append(
      Array.from({ length: 50 }, (_, number) => ({ key: 'acme', value: sampleEvent(number) })),
    );
    const store = await openServerStore(accessTo(server));
    const writer = ledgerOf({ store, state, events: topic });
    await writer.start();
    await topic.drained('ledger');
    await writer.stop();
    const written = asked((await server.seen()).map(({ statement }) => statement));
    expect(written).toEqual([
      'INSERT custody.entries',
      'SELECT custody.entries',
      'SELECT custody.migrations',
      'SELECT system.settings',
      'SELECT system.tables',
    ]);
    // Asked for where a log does not begin at 0: what retention announced to remove; and by the admin endpoint.
    const further = ['anchor_entries', 'alerts', 'incidents', 'incident_changes'];
    expect(grantsOf('writer')).toEqual(
      [...written, ...further.map((table) => `SELECT custody.${table}`)].sort(),
    );

    const report = await verifyStore({
      raw: store.raw,
      states: [state],
      topics: () => Promise.resolve([topic]),
      deployment: source.deployment,
      schema: SINGLE,
      rebuild: true,
    });
    expect(report).toMatchObject({ verdict: 'valid', entries: 51 });
    await store.close();
    await (await openServerStore({ ...accessTo(server), access: 'read' })).close();
    const verified = asked((await server.seen()).map(({ statement }) => statement));
    expect(verified).toEqual([
      'SELECT custody.checkpoints',
      'SELECT custody.entries',
      'SELECT custody.migrations',
      'SELECT system.settings',
      'SELECT system.tables',
    ]);
    for (const role of ['notary', 'reader'])
      for (const right of verified) expect(grantsOf(role)).toContain(right);
  });

  test('and a read asks for no setting but the pinned ones', async () => {
    const client = createServerClient(accessTo(server));
    await server.seen();
    await client.query({ query: 'SELECT 1', format: 'TabSeparated' }).then((result) => result.text());
    await client.close();
    const [seen] = await server.seen();
    expect(Object.keys(seen?.settings ?? {})).toEqual(['enable_http_compression']);
  });
});
