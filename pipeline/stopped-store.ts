import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../runtime/clock.ts';
import { PermanentError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import type { Config } from '../schemas/config.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { createSqlEndpoint } from '../sinks/store/sql-endpoint/sql-endpoint.ts';
import { openEmbeddedLog } from '../streams/embedded/open-log.ts';

/**
 * Opens the data directory of a stopped pipeline for one command and serves its SQL interface on a free loopback port,
 * so that commands read a running and a stopped pipeline through the same door. Holds the directory's lock.
 */
export async function serveStoppedStore(
  config: Config,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const storePath = join(config.data_dir, 'store');
  if (!existsSync(storePath)) {
    throw new PermanentError(
      'rejected',
      `cannot read the store: there is none in data directory ${config.data_dir} (start the pipeline first, or name another with --data-dir)`,
    );
  }
  const metrics = createMetrics();
  const logger = createLogger({ level: 'error' });
  const log = await openEmbeddedLog({
    directory: join(config.data_dir, 'log'),
    config: config.log,
    clock: systemClock,
    metrics,
    logger,
  });
  const store = await openChdbStore({ path: storePath });
  const endpoint = createSqlEndpoint({
    config: {
      ...config.sql,
      listener: { enabled: true, host: '127.0.0.1', port: 0, dangerously_without_tls: false },
    },
    tokens: [],
    storePath: store.path,
    logger,
    metrics,
    clock: systemClock,
  });
  await endpoint.start();
  const { host, port } = endpoint.address();
  return {
    url: `http://${host}:${port}/`,
    async close() {
      await endpoint.stop();
      await store.close();
      await log.close();
    },
  };
}
