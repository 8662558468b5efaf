import { availableParallelism } from 'node:os';
import { playStore, type PlayedStore, type PlayStoreOptions } from '../backtest/stored/play-store.ts';
import { jsonRows, type StoredQuery, type StoredRange } from '../backtest/stored/stored-query.ts';
import { playSharedStore } from '../backtest/stored/play-shared-store.ts';
import { InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { createProgress } from './progress.ts';
import type { SqlAccess } from './sql-access.ts';

export interface PlayOptions extends Pick<PlayStoreOptions, 'inForce' | 'profile' | 'sessions'> {
  readonly config: Config;
  readonly sql: SqlAccess;
  readonly range: StoredRange;
  readonly label: string;
  readonly threads?: number;
}

/**
 * Events of a tenant nobody has ever heard of are not just few: the name is wrong.
 * @throws InputError naming the tenant.
 */
async function requireTenant(query: StoredQuery, tenant: string): Promise<void> {
  const [row] = await jsonRows<{ n: string }>(
    await query(
      "SELECT toString(count()) AS n FROM (SELECT 1 FROM custody.entries WHERE topic = 'custody.events' AND tenant = {tenant:String} LIMIT 1) FORMAT JSONEachRow",
      { tenant },
    ),
  );
  if (row === undefined || row.n === '0')
    throw new InputError('input_invalid', `cannot play history: the store has no event of tenant ${tenant}`, {
      path: '--tenant',
    });
}

export const queryOf =
  (sql: SqlAccess): StoredQuery =>
  (statement, parameters = {}) =>
    sql.query(statement, { parameters });

/** Plays stored history on as many threads as there are processors; with shared statistics on one, in their order. */
export async function playHistory({
  config,
  sql,
  label,
  threads,
  ...options
}: PlayOptions): Promise<PlayedStore> {
  if (options.range.tenant !== undefined) await requireTenant(queryOf(sql), options.range.tenant);
  const progress = createProgress(label, 'events');
  const play = config.detect.shared_statistics.enabled ? playSharedStore : playStore;
  try {
    return await play({
      ...options,
      query: queryOf(sql),
      config: config.detect,
      threads: threads ?? availableParallelism(),
      onProgress: (done, total) => progress.update(done, total),
    });
  } finally {
    progress.stop();
  }
}
