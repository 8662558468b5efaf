import { availableParallelism } from 'node:os';
import { playStore, type PlayedStore, type PlayStoreOptions } from '../backtest/stored/play-store.ts';
import type { StoredQuery, StoredRange } from '../backtest/stored/stored-query.ts';
import { playSharedStore } from '../backtest/stored/play-shared-store.ts';
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
