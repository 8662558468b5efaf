import type { ClickHouseClient } from '@clickhouse/client';
import { PermanentError } from '../../runtime/errors.ts';
import { engineCode, storeError } from './clickhouse-error.ts';
import { entriesMigration } from './migrations/0001-entries.ts';
import { evidenceMigration } from './migrations/0002-evidence.ts';
import { verificationViewsMigration } from './migrations/0003-verification-views.ts';
import { incidentsMigration } from './migrations/0004-incidents.ts';
import { engineOf, onCluster, SINGLE, type Migration, type SchemaVariant } from './migrations/migration.ts';

const MIGRATIONS: readonly Migration[] = [
  entriesMigration,
  evidenceMigration,
  verificationViewsMigration,
  incidentsMigration,
];
/** The schema version this program writes and reads. */
export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.version ?? 0;

const UNKNOWN_TABLE = 60;
const UNKNOWN_DATABASE = 81;

export interface MigrationReport {
  /** Newest schema version the store had; 0 = none. */
  readonly from: number;
  readonly to: number;
  /** What was run, or with `dryRun` would be, in order. */
  readonly statements: readonly string[];
}

export interface MigrationOptions {
  /** Default: one engine. */
  readonly variant?: SchemaVariant;
  /** Only say what would be run. */
  readonly dryRun?: boolean;
  /** Called before each statement is run. */
  readonly onStatement?: (statement: string) => void;
}

/**
 * Brings the store's schema up to date. Every statement may run again, so a crash between two is repaired by the next
 * run, and two runs at once end in the same schema. Refuses a store that a newer version has changed.
 * @throws PermanentError `rejected` (newer schema, missing grant), TransientError (not reached, no quorum).
 */
export async function migrateStore(
  client: ClickHouseClient,
  { variant = SINGLE, dryRun = false, onStatement }: MigrationOptions = {},
): Promise<MigrationReport> {
  try {
    const applied = await appliedVersions(client);
    const from = Math.max(0, ...applied);
    if (from > SCHEMA_VERSION) throw newerSchema(from);
    const open = MIGRATIONS.filter(({ version }) => !applied.has(version));
    const statements = [
      `CREATE DATABASE IF NOT EXISTS custody${onCluster(variant)}`,
      `CREATE TABLE IF NOT EXISTS custody.migrations${onCluster(variant)} (version UInt32, name String) ENGINE = ${engineOf(variant)} ORDER BY version`,
      ...open.flatMap((migration) => [
        ...migration.statements(variant),
        `INSERT INTO custody.migrations SELECT ${migration.version}, '${migration.name}'`,
      ]),
    ];
    if (open.length === 0) return { from, to: SCHEMA_VERSION, statements: [] };
    for (const query of dryRun ? [] : statements) {
      onStatement?.(query);
      await client.command({ query });
    }
    return { from, to: SCHEMA_VERSION, statements };
  } catch (cause) {
    throw storeError('migrate the store', cause);
  }
}

/** Versions the store went through; none when it was never migrated. */
export async function appliedVersions(client: ClickHouseClient): Promise<ReadonlySet<number>> {
  try {
    const result = await client.query({
      query: 'SELECT version FROM custody.migrations ORDER BY version',
      format: 'TabSeparated',
    });
    return new Set((await result.text()).split('\n').filter(Boolean).map(Number));
  } catch (cause) {
    const code = engineCode(cause);
    if (code === UNKNOWN_TABLE || code === UNKNOWN_DATABASE) return new Set();
    throw cause;
  }
}

/** A store of a newer version is not touched: what it means is not known here. */
export function newerSchema(version: number): PermanentError {
  return new PermanentError(
    'rejected',
    `cannot open the store: schema version ${version} is newer than ${SCHEMA_VERSION}, the newest this program knows`,
  );
}
