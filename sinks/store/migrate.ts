import type { ClickHouseClient } from '@clickhouse/client';
import { PermanentError } from '../../runtime/errors.ts';
import { storeError } from './clickhouse-error.ts';
import { entriesMigration } from './migrations/0001-entries.ts';
import type { Migration } from './migrations/migration.ts';

const MIGRATIONS: readonly Migration[] = [entriesMigration];

/**
 * Brings the store's schema up to date. Every statement may run again, so a crash between two is repaired by the next
 * start. Refuses a store that a newer version has changed.
 */
export async function migrateStore(client: ClickHouseClient): Promise<void> {
  try {
    await client.command({ query: 'CREATE DATABASE IF NOT EXISTS custody' });
    await client.command({
      query:
        'CREATE TABLE IF NOT EXISTS custody.migrations (version UInt32, name String) ENGINE = MergeTree ORDER BY version',
    });
    const result = await client.query({
      query: 'SELECT version FROM custody.migrations ORDER BY version',
      format: 'TabSeparated',
    });
    const applied = new Set((await result.text()).split('\n').filter(Boolean).map(Number));
    const newest = MIGRATIONS.at(-1)?.version ?? 0;
    const newer = [...applied].filter((version) => version > newest);
    if (newer.length > 0) {
      throw new PermanentError(
        'rejected',
        `cannot open the store: schema version ${Math.max(...newer)} is newer than ${newest}, the newest this program knows`,
      );
    }
    for (const migration of MIGRATIONS) {
      if (applied.has(migration.version)) continue;
      for (const query of migration.statements) await client.command({ query });
      await client.command({
        query: `INSERT INTO custody.migrations SELECT ${migration.version}, '${migration.name}'`,
      });
    }
  } catch (cause) {
    throw storeError('migrate the store', cause);
  }
}
