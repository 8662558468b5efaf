import type { ClickHouseClient } from '@clickhouse/client';
import { PermanentError } from '../../runtime/errors.ts';
import { createClickHouseStore, readRows } from './clickhouse-store.ts';
import {
  appliedVersions,
  migrateStore,
  newerSchema,
  SCHEMA_VERSION,
  type MigrationOptions,
  type MigrationReport,
} from './migrate.ts';
import type { SchemaVariant } from './migrations/migration.ts';
import { PINNED_SETTINGS } from './pinned-settings.ts';
import { readDefinition } from './schema-definition.ts';
import { clusterInsertSettings, createServerClient, type ServerAccess } from './server-client.ts';
import { serverError } from './server-error.ts';
import type { Store } from './store.ts';
import { WRITTEN_COLUMNS } from './tab-separated.ts';

export interface ServerStoreOptions extends ServerAccess {
  /** `read` asks for no right to insert: for verification and queries. Default `write`. */
  readonly access?: 'write' | 'read';
}

export interface ServerStore extends Store {
  /** The schema variant in force, for `verifyStore`. */
  readonly schema: SchemaVariant;
  /** The server's own words, such as `25.8.2.29`. */
  readonly version: string;
}

const OLDEST = { year: 24, month: 8 };

/**
 * Opens the ledger on a ClickHouse server or cluster, and checks what can be checked before the first record: that it
 * answers, lets us in, is new enough, has our tables as we make them, and grants what is needed.
 * @throws PermanentError (`config_invalid`, `rejected`) when somebody has to change something, TransientError when it
 *   does not answer; the sentence says what to do.
 */
export async function openServerStore(options: ServerStoreOptions): Promise<ServerStore> {
  const { config, access = 'write' } = options;
  const client = createServerClient(options);
  const schema: SchemaVariant = { cluster: config.cluster };
  try {
    const version = await checkVersion(client, config.url);
    if (config.migrate_on_start) await migrateStore(client, { variant: schema });
    const store = createClickHouseStore(client, {
      insertSettings: clusterInsertSettings(config),
      unknownSettings: await unknownSettings(client),
      oneInsertAtATime: config.cluster !== undefined,
    });
    await checkSchemaVersion(client, config.url);
    await checkTable(store, config.url, schema);
    if (access === 'write') await checkInsert(client);
    return { ...store, schema, version };
  } catch (cause) {
    await client.close();
    throw serverError(config.url, cause);
  }
}

/**
 * Brings a server's schema up to date, as a user who may (`custody_migrator`).
 * @throws as `openServerStore`.
 */
export async function migrateServer(
  access: ServerAccess,
  options: Omit<MigrationOptions, 'variant'> = {},
): Promise<MigrationReport> {
  const { config } = access;
  const client = createServerClient(access);
  try {
    await checkVersion(client, config.url);
    return await migrateStore(client, { ...options, variant: { cluster: config.cluster } });
  } catch (cause) {
    throw serverError(config.url, cause);
  } finally {
    await client.close();
  }
}

async function firstColumn(client: ClickHouseClient, query: string): Promise<string[]> {
  const result = await client.query({ query, format: 'TabSeparated' });
  return (await result.text()).split('\n').filter(Boolean);
}

async function checkVersion(client: ClickHouseClient, url: string): Promise<string> {
  const [version = ''] = await firstColumn(client, 'SELECT version()');
  const parts = /^(\d+)\.(\d+)/.exec(version);
  if (parts === null) throw serverError(url, new Error('the answer is no version'));
  const [year = 0, month = 0] = parts.slice(1).map(Number);
  if (year > OLDEST.year || (year === OLDEST.year && month >= OLDEST.month)) return version;
  throw new PermanentError(
    'rejected',
    `cannot use ClickHouse at ${url}: version ${version} is too old (24.8 or newer is needed)`,
  );
}

async function unknownSettings(client: ClickHouseClient): Promise<ReadonlySet<string>> {
  const names = PINNED_SETTINGS.map((name) => `'${name}'`).join();
  const known = new Set(
    await firstColumn(client, `SELECT name FROM system.settings WHERE name IN (${names})`),
  );
  return new Set(PINNED_SETTINGS.filter((name) => !known.has(name)));
}

async function checkSchemaVersion(client: ClickHouseClient, url: string): Promise<void> {
  const newest = Math.max(0, ...(await appliedVersions(client)));
  if (newest > SCHEMA_VERSION) throw newerSchema(newest);
  if (newest === SCHEMA_VERSION) return;
  const reason =
    newest === 0 ? 'its tables are missing' : `its schema is version ${newest}, not ${SCHEMA_VERSION}`;
  throw new PermanentError('rejected', `cannot use ClickHouse at ${url}: ${reason} (run custody migrate)`);
}

async function checkTable(store: Store, url: string, schema: SchemaVariant): Promise<void> {
  // Asks for the right to read before the definition: a table one may not read looks like one that is missing.
  for await (const row of readRows(store.raw, 'SELECT seq FROM custody.entries WHERE 0', (read) =>
    read.uint64(),
  ))
    throw new PermanentError(
      'rejected',
      `cannot use ClickHouse at ${url}: it gave row ${row} where none can be`,
    );
  const definition = await readDefinition(store.raw, schema);
  if (definition.state === 'equal') return;
  const reason =
    definition.state === 'missing'
      ? 'table custody.entries is missing (run custody migrate)'
      : `table custody.entries is not as custody makes it: ${definition.where.join(', ')} ` +
        '(restore that; custody never changes a table that may hold entries)';
  throw new PermanentError('rejected', `cannot use ClickHouse at ${url}: ${reason}`);
}

/** Inserts no row, which needs the same right as inserting one. */
async function checkInsert(client: ClickHouseClient): Promise<void> {
  const columns = WRITTEN_COLUMNS.join(', ');
  await client.command({
    query: `INSERT INTO custody.entries (${columns}) SELECT ${columns} FROM custody.entries WHERE 0`,
  });
}
