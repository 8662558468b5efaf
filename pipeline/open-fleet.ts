import { join } from 'node:path';
import { systemClock } from '../runtime/clock.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import { openEmbeddedLog, readEmbeddedLog } from '../streams/embedded/open-log.ts';
import { openKafkaLog } from '../streams/kafka/open-log.ts';
import type { Log } from '../streams/topic.ts';
import type { OpenStore, PipelineOptions } from './context.ts';
import { kafkaCredentials, openStore } from './open-data.ts';

type Access = Pick<PipelineOptions, 'config' | 'secrets'>;

/** Log and store of a fleet as one command reads them; nothing is made, written or claimed. */
export interface Fleet {
  readonly deployment: string;
  readonly store: OpenStore;
  /** The log as it is now. */
  openLog(): Promise<Log>;
  close(): Promise<void>;
}

/** Whether log or store is outside of the data directory, so that commands reach them without a running process here. */
export const isFleet = ({ log, store }: Access['config']): boolean =>
  log.type === 'kafka' || store.type === 'clickhouse';

export async function openFleet(access: Access): Promise<Fleet> {
  const { config } = access;
  const store = await openStore(access, 'read');
  const logs: Log[] = [];
  let kafka: Promise<Log> | undefined;
  return {
    deployment: config.deployment ?? loadDeployment(config.data_dir, undefined),
    store,
    async openLog() {
      // An embedded log read beside its owner shows one moment; Kafka always shows now.
      if (config.log.type === 'kafka') return (kafka ??= openFleetLog(access));
      const log = await readEmbeddedLog({
        directory: join(config.data_dir, 'log'),
        config: config.log,
        clock: systemClock,
      });
      logs.push(log);
      return log;
    },
    async close() {
      await store.close();
      await (await kafka)?.close();
      for (const log of logs) await log.close();
    },
  };
}

/** Log and store for a command that writes to the store, in place of the processes that do so otherwise. */
export async function openForRepair(
  access: Access,
): Promise<{ log: Log; store: OpenStore; deployment: string; close(): Promise<void> }> {
  const { config } = access;
  const log =
    config.log.type === 'kafka'
      ? await openFleetLog(access)
      : await openEmbeddedLog({
          directory: join(config.data_dir, 'log'),
          config: config.log,
          clock: systemClock,
        });
  try {
    const store = await openStore(access);
    const close = async () => {
      await store.close();
      await log.close();
    };
    return { log, store, deployment: config.deployment ?? loadDeployment(config.data_dir, undefined), close };
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** The topics of a fleet, for reading. */
export function openFleetLog(access: Access): Promise<Log> {
  const { log } = access.config;
  if (log.type !== 'kafka') throw new Error('the log is not on Kafka');
  return openKafkaLog({ config: { ...log, create_topics: false }, credentials: kafkaCredentials(access) });
}
