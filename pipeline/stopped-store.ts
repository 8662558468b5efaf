import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../runtime/clock.ts';
import { ConfigError, PermanentError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import type { Config, LogConfig } from '../schemas/config.ts';
import { openChdbStore, type ChdbStore } from '../sinks/store/chdb-store.ts';
import { createSqlEndpoint } from '../sinks/store/sql-endpoint/sql-endpoint.ts';
import { openEmbeddedLog, type EmbeddedLog } from '../streams/embedded/open-log.ts';

/** The parts of a stopped pipeline's data directory, its lock held until `close`. */
export interface StoppedStore {
  readonly log: EmbeddedLog;
  /** Opens the store; rejects when the engine cannot read it. */
  openStore(): Promise<ChdbStore>;
  close(): Promise<void>;
}

/** @throws ConfigError when the log is not in the data directory. */
export function embeddedLogOf(config: Config): LogConfig {
  if (config.log.type === 'embedded') return config.log;
  throw new ConfigError('cannot read the log in the data directory: log.type is kafka', { path: 'log.type' });
}

/** Opens the data directory of a stopped pipeline for one command. Holds the directory's lock. */
export async function openStoppedStore(config: Config): Promise<StoppedStore> {
  const storePath = join(config.data_dir, 'store');
  if (!existsSync(storePath)) {
    throw new PermanentError(
      'rejected',
      `cannot read the store: there is none in data directory ${config.data_dir} (start the pipeline first, or name another with --data-dir)`,
    );
  }
  const log = await openEmbeddedLog({
    directory: join(config.data_dir, 'log'),
    config: embeddedLogOf(config),
    clock: systemClock,
    metrics: createMetrics(),
    logger: createLogger({ level: 'error' }),
  });
  let store: ChdbStore | undefined;
  return {
    log,
    openStore: async () => (store ??= await openChdbStore({ path: storePath })),
    async close() {
      await store?.close();
      await log.close();
    },
  };
}

/**
 * Serves a stopped pipeline's SQL interface on a free loopback port, so that commands read a running and a stopped
 * pipeline through the same door.
 */
export async function serveStoppedStore(
  config: Config,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const stopped = await openStoppedStore(config);
  try {
    const store = await stopped.openStore();
    const endpoint = createSqlEndpoint({
      config: {
        ...config.sql,
        listener: { enabled: true, host: '127.0.0.1', port: 0, dangerously_without_tls: false },
      },
      tokens: [],
      storePath: store.path,
      logger: createLogger({ level: 'error' }),
      metrics: createMetrics(),
      clock: systemClock,
    });
    await endpoint.start();
    const { host, port } = endpoint.address();
    return {
      url: `http://${host}:${port}/`,
      async close() {
        await endpoint.stop();
        await stopped.close();
      },
    };
  } catch (error) {
    await stopped.close();
    throw error;
  }
}
