import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { createClient } from '@clickhouse/client';
import { PermanentError } from '../../runtime/errors.ts';
import { CHDB_ARGUMENTS } from './chdb-arguments.ts';
import { createChdbConnection } from './chdb-connection.ts';
import { createClickHouseStore } from './clickhouse-store.ts';
import { createDayDropper, type DayDropper } from './drop-day.ts';
import { migrateStore } from './migrate.ts';
import type { Store } from './store.ts';

export interface ChdbStore extends Store {
  /** Absolute data directory; reader sessions opened on it run beside the writer (`openReaderSession`). */
  readonly path: string;
  /** For retention alone; whoever writes entries is given a `Store`. */
  readonly dropper: DayDropper;
}

/**
 * Opens (or makes) the embedded store. One process at a time: the engine refuses a second one on the same directory,
 * and one process can hold one directory at a time.
 * @throws PermanentError `locked` when another process holds it, `rejected` when its schema is newer than the program.
 */
export async function openChdbStore(options: { readonly path: string }): Promise<ChdbStore> {
  const path = resolve(options.path);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  let connection;
  try {
    connection = createChdbConnection({ path, connectionArgs: CHDB_ARGUMENTS });
  } catch (cause) {
    throw new PermanentError('locked', `cannot open store ${path}: it is in use or unreadable`, { cause });
  }
  const client = createClient({ connection });
  try {
    await migrateStore(client);
  } catch (error) {
    await client.close();
    throw error;
  }
  return { ...createClickHouseStore(client), path, dropper: createDayDropper(client) };
}
