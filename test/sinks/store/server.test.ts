import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineCode } from '../../../sinks/store/clickhouse-error.ts';
import { createServerClient, type ServerAccess } from '../../../sinks/store/server-client.ts';
import { migrateServer, openServerStore } from '../../../sinks/store/server-store.ts';
import { verifyStore } from '../../../sinks/store/verify-store.ts';
import { serverConfig } from '../../support/clickhouse/server-config.ts';
import {
  hasRealClickHouse,
  namedCluster,
  realClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse/start-clickhouse.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { rowsOf, sealed, source, START_MS } from './ledger-harness.ts';
import { accessTo, asOwner } from './server-harness.ts';

// What only a server can show: that grants and profiles hold, that its own HTTP interface does what the client relies
// on, and, on a cluster, that a quorum is one. Elsewhere these are skipped, and said to be.
const real = await hasRealClickHouse();
const cluster = namedCluster();
const missing: string[] = [];
const onServer = (name: string, action: () => Promise<void>) => on(real, 'a ClickHouse server', name, action);
const onCluster = (name: string, action: () => Promise<void>) =>
  on(cluster !== undefined, 'a ClickHouse cluster', name, action);

function on(there: boolean, what: string, name: string, action: () => Promise<void>): void {
  if (there) test(name, action);
  else {
    missing.push(`needs ${what}: ${name}`);
    test.skip(`${name} (needs ${what})`, action);
  }
}

const sqlFile = (name: string) =>
  readFileSync(new URL(`../../../deploy/clickhouse/${name}`, import.meta.url), 'utf8')
    .replaceAll(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((text) => text.trim())
    .filter(Boolean);
const PASSWORD = 'custody-test-password';
const entries = sealed(
  Array.from({ length: 200 }, (_, number) => ({
    key: 'acme',
    value: sampleEvent(number),
    appendTimeMs: START_MS,
  })),
);

describe('a real server', () => {
  let server: TestClickHouse | undefined;
  beforeAll(async () => {
    server = real ? await realClickHouse() : undefined;
    if (server === undefined) return;
    const hash = createHash('sha256').update(PASSWORD).digest('hex');
    await asOwner(server, async (client) => {
      await client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' });
      const version = await client.query({ query: 'SELECT version()', format: 'TabSeparated' });
      const [year = 0, month = 0] = (await version.text()).split('.').map(Number);
      const known = sqlFile('roles.sql').slice(0, year * 100 + month < 2503 ? -1 : undefined);
      for (const query of known) await client.command({ query });
      for (const query of sqlFile('users.sql')) {
        await client.command({
          query: query
            .replace(/<[a-z]+-password-sha256>/, hash)
            .replace('<retention-valid-until>', '2100-01-01 00:00:00'),
        });
      }
    });
    await migrateServer(as('migrator'));
  });
  afterAll(() => server?.stop());

  function as(role: string): ServerAccess {
    return {
      config: serverConfig(server?.url ?? 'http://127.0.0.1:1', { username: `custody_${role}` }),
      password: PASSWORD,
    };
  }
  async function codeOf(
    role: string,
    action: (client: ClickHouseClient) => Promise<unknown>,
  ): Promise<number> {
    const client = createServerClient(as(role));
    try {
      await action(client);
      return 0;
    } catch (error) {
      return engineCode(error) ?? -1;
    } finally {
      await client.close();
    }
  }
  const run = (role: string, query: string) => codeOf(role, (client) => client.command({ query }));

  onServer('takes entries from the writer and verifies for notary and reader', async () => {
    const store = await openServerStore(as('writer'));
    await store.append(entries);
    await store.append(entries);
    expect((await store.logs(source)).size).toBe(1);
    await store.close();
    for (const role of ['notary', 'reader']) {
      const reader = await openServerStore({ ...as(role), access: 'read' });
      const report = await verifyStore({
        raw: reader.raw,
        states: undefined,
        topics: undefined,
        deployment: 'test',
      });
      await reader.close();
      // Without heads a verdict is undecidable at best; nothing else may be wrong.
      expect(report.findings.map(({ cause }) => cause)).toEqual(['HEADS_UNAVAILABLE']);
      expect(report.entries).toBe(entries.length);
    }
  });

  onServer('lets no role of the running pipeline change, remove, attach or make anything', async () => {
    for (const role of ['writer', 'notary', 'reader']) {
      for (const query of [
        "ALTER TABLE custody.entries UPDATE body = '' WHERE 1",
        'ALTER TABLE custody.entries DELETE WHERE 1',
        'DELETE FROM custody.entries WHERE 1',
        "ALTER TABLE custody.entries DROP PARTITION '2026-09-21'",
        "ALTER TABLE custody.entries ATTACH PARTITION '2026-09-21'",
        "ALTER TABLE custody.entries DETACH PARTITION '2026-09-21'",
        'ALTER TABLE custody.entries MODIFY SETTING fsync_after_insert = 0',
        'ALTER TABLE custody.entries DROP CONSTRAINT leaf_ok',
        'TRUNCATE TABLE custody.entries',
        'DROP TABLE custody.entries',
        'RENAME TABLE custody.entries TO custody.other',
        'CREATE TABLE custody.other (a UInt8) ENGINE = Memory',
        'CREATE ROW POLICY hide ON custody.entries USING 0 TO ALL',
        'SYSTEM STOP MERGES custody.entries',
        'OPTIMIZE TABLE custody.entries FINAL',
        "INSERT INTO custody.migrations VALUES (99, 'forged')",
      ]) {
        // ACCESS_DENIED, READONLY, QUERY_IS_PROHIBITED (allow_ddl)
        expect([497, 164, 392], `${role}: ${query}`).toContain(await run(role, query));
      }
    }
  });

  onServer('lets the writer change no setting its profile holds', async () => {
    for (const [name, value] of [
      ['async_insert', '1'],
      ['allow_ddl', '1'],
      ['input_format_skip_unknown_fields', '1'],
      ['max_partitions_per_insert_block', '0'],
    ]) {
      // READONLY or SETTING_CONSTRAINT_VIOLATION
      expect([164, 452], name).toContain(await run('writer', `SET ${name ?? ''} = ${value ?? ''}`));
    }
  });

  onServer('lets a reader lower its limits and not leave read-only', async () => {
    expect(await run('reader', 'SET readonly = 0')).not.toBe(0);
    expect(await run('reader', 'SET max_execution_time = 10')).toBe(0);
    expect(await run('reader', 'SET max_execution_time = 100000')).not.toBe(0);
    expect(await run('reader', 'SET max_insert_threads = 2')).not.toBe(0);
    expect(await run('reader', 'SELECT count() FROM custody.tool_calls')).toBe(0);
  });

  onServer('lets retention drop a partition, and nobody read what it may not', async () => {
    expect(await run('retention', "ALTER TABLE custody.entries DROP PARTITION '1999-01-01'")).toBe(0);
    expect(
      await run('migrator', 'INSERT INTO custody.entries (log) SELECT log FROM custody.entries WHERE 0'),
    ).toBe(497);
    expect(await run('writer', 'SELECT * FROM system.users')).toBe(497);
  });

  onServer('names the grant that is missing', async () => {
    if (server === undefined) return;
    await asOwner(server, (client) =>
      client.command({ query: 'REVOKE INSERT ON custody.entries FROM custody_writer_role' }),
    );
    await expect(openServerStore(as('writer'))).rejects.toThrow(
      /the user lacks GRANT INSERT ON custody\.entries/,
    );
  });

  onServer(
    'gives an error that comes in the middle of an answer as an error, and no row before it',
    async () => {
      if (server === undefined) return;
      const client = createServerClient(accessTo(server));
      const answer = client.exec({
        query:
          'SELECT throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_block_size = 1000 FORMAT RowBinary',
      });
      await expect(answer).rejects.toMatchObject({ code: '395' });
      await client.close();
    },
  );

  onServer('has settings of all names custody pins that it knows, and drops the rest', async () => {
    const store = await openServerStore({ ...as('reader'), access: 'read' });
    expect(await rowsOf(store, 'SELECT count() FROM custody.entries')).toHaveLength(1);
    await store.close();
  });
});

describe('a cluster', () => {
  const access = (index: number) => {
    const replica = cluster?.replicas[index];
    if (cluster === undefined || replica === undefined) throw new Error('no such replica');
    return accessTo(replica, { cluster: cluster.name });
  };

  onCluster('makes the same tables on every replica', async () => {
    const client = createServerClient(access(0));
    await client.command({
      query: `DROP DATABASE IF EXISTS custody ON CLUSTER '${cluster?.name ?? ''}' SYNC`,
    });
    await client.close();
    await migrateServer(access(0));
    for (const index of cluster?.replicas.keys() ?? []) await (await openServerStore(access(index))).close();
  });

  onCluster('shows what one replica acknowledged to a reader of another, at once', async () => {
    const [first, second] = [await openServerStore(access(0)), await openServerStore(access(1))];
    await first.append(entries);
    await second.expectStored(entries);
    await second.append(entries);
    expect(await rowsOf(first, 'SELECT count() FROM custody.entries')).toEqual([[entries.length]]);
    await Promise.all([first.close(), second.close()]);
  });

  onCluster('takes equal entries through two replicas at the same time', async () => {
    const [first, second] = [await openServerStore(access(0)), await openServerStore(access(1))];
    const more = sealed([{ key: 'globex', value: sampleEvent(1) }], { ...source, topicId: 'both' });
    const both = await Promise.allSettled([first.append(more), second.append(more)]);
    for (const result of both)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'TransientError' });
    await first.append(more);
    await second.expectStored(more);
    await Promise.all([first.close(), second.close()]);
  });
});

test('what needs a server and was left out is named in the output', () => {
  const how = 'CUSTODY_TEST_CLICKHOUSE=http://user:password@host:8123, or Docker';
  if (missing.length > 0) console.warn(`not run here (${how}):\n  ${missing.join('\n  ')}`);
  expect(missing.length === 0).toBe(real && cluster !== undefined);
});
