import { join } from 'node:path';
import { sleep } from '../runtime/backoff.ts';
import type { Component } from '../runtime/component.ts';
import { loadDeployment, makeDataDirectory } from '../runtime/deployment.ts';
import { loadDigestKey } from '../runtime/digest-key.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { openEmbeddedLog } from '../streams/embedded/open-log.ts';
import { createAlarms } from './alarms.ts';
import type { PipelineContext, PipelineOptions } from './context.ts';
import { createListeners } from './listeners.ts';
import { removeRunFile, writeRunFile, type Addresses } from './run-file.ts';
import { createSchedule } from './schedule.ts';
import { scrub } from './scrub.ts';
import { createStages } from './stages.ts';
import { topicStatus, type Status } from './status.ts';

export interface Pipeline {
  readonly addresses: Addresses;
  status(): Promise<Status>;
  /** Closes the doors, lets every stage catch up (bounded), then releases the data directory. */
  stop(): Promise<void>;
}

/** How long `stop` waits for the stages; what they have not reached by then they reach after the next start. */
const DRAIN_MS = 15_000;

/**
 * The embedded pipeline in one process: collectors → log → detectors, ledger → store, sinks. Starts consumers before
 * collectors, so that nothing is accepted that nobody would handle.
 * @throws PermanentError (`locked`, `port_taken`), ConfigError, TransientError (`disk_full`), IntegrityError (damage).
 */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const release: (() => Promise<void>)[] = [];
  const releaseAll = async () => {
    for (const action of release.splice(0).reverse()) await action();
  };
  try {
    const context = await openData(options, release);
    return await run(context, release, releaseAll);
  } catch (error) {
    await releaseAll();
    throw error;
  }
}

async function openData(
  options: PipelineOptions,
  release: (() => Promise<void>)[],
): Promise<PipelineContext> {
  const { config, clock, logger } = options;
  const dataDir = config.data_dir;
  const metrics = createMetrics();
  makeDataDirectory(dataDir);
  const log = await openEmbeddedLog({
    directory: join(dataDir, 'log'),
    config: config.log,
    clock,
    metrics,
    logger,
  });
  release.push(() => log.close());
  const deployment = loadDeployment(dataDir, config.deployment);
  const digestKey = loadDigestKey(dataDir);
  const store = await openChdbStore({ path: join(dataDir, 'store') });
  release.push(() => store.close());
  const alarms = createAlarms((alarm) => {
    logger.error({ alarm }, 'alarm');
    metrics.alarms.set({ component: alarm.component, code: alarm.code }, 1);
  });
  return { ...options, log, store, deployment, digestKey, metrics, alarms };
}

async function run(
  context: PipelineContext,
  release: (() => Promise<void>)[],
  releaseAll: () => Promise<void>,
): Promise<Pipeline> {
  const { config, log, alarms, metrics, clock, logger, version, deployment } = context;
  const started_at = new Date(clock.nowMs()).toISOString();
  let ready = false;
  const stages = createStages(context);
  const status = async (): Promise<Status> => ({
    version,
    deployment,
    started_at,
    ready: ready && alarms.active.length === 0,
    alarms: alarms.active,
    topics: await topicStatus(log, stages.readers, metrics),
    detect: stages.detectStats(),
    sinks: stages.sinks,
  });
  const listeners = createListeners(context, status);
  const schedule = createSchedule(
    [
      { name: 'log_retention', cron: '*/10 * * * *', run: retain },
      { name: 'store_scrub', cron: config.verify_cron, run: () => scrub(context) },
    ],
    logger,
  );

  async function retain(): Promise<void> {
    const { removedCount } = await log.retain({ protectedGroups: (topic) => stages.readers[topic] });
    if (removedCount > 0) logger.info({ removedCount }, 'log retention');
  }
  async function startAll(components: readonly Component[]): Promise<void> {
    for (const component of components) {
      release.push(() => component.stop());
      await component.start();
    }
  }

  await startAll(stages.components);
  release.push(() => drained(status));
  await startAll([...listeners.components, schedule]);
  ready = true;
  const addresses = listeners.addresses();
  writeRunFile(config.data_dir, { pid: process.pid, started_at, version, deployment, ...addresses });
  return {
    addresses,
    status,
    stop: async () => {
      ready = false;
      removeRunFile(config.data_dir);
      await releaseAll();
    },
  };
}

/** Waits until no consumer group is behind, or an alarm or the deadline says that one will stay so. */
async function drained(status: () => Promise<Status>): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  while (performance.now() < deadline) {
    const { topics, alarms } = await status();
    if (
      alarms.length > 0 ||
      topics.every(({ lag }) => Object.values(lag).every((records) => records === '0'))
    )
      return;
    await sleep(20);
  }
}
