import { sleep } from '../runtime/backoff.ts';
import type { Component } from '../runtime/component.ts';
import type { Alarm } from './alarms.ts';
import type { PipelineContext, PipelineOptions } from './context.ts';
import { createListeners } from './listeners.ts';
import { openNotary } from './notary.ts';
import { openData } from './open-data.ts';
import { CustodyError } from '../runtime/errors.ts';
import { createRetention } from './retention-job.ts';
import { removeRunFile, writeRunFile, type Addresses } from './run-file.ts';
import { createSchedule } from './schedule.ts';
import { createScrub, scrubJobs } from './scrub.ts';
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
 * The pipeline, or the part of it that this process's roles are: collectors → log → detectors, ledger → store, sinks.
 * Starts consumers before collectors, so that nothing is accepted that nobody would handle.
 * @throws PermanentError (`locked`, `port_taken`, `rejected`), ConfigError, TransientError (`disk_full`,
 * `unavailable`), IntegrityError (damage).
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

async function run(
  context: PipelineContext,
  release: (() => Promise<void>)[],
  releaseAll: () => Promise<void>,
): Promise<Pipeline> {
  const { config, log, alarms, metrics, clock, logger, version, deployment } = context;
  const started_at = new Date(clock.nowMs()).toISOString();
  let ready = false;
  const stages = createStages(context);
  const notary = await openNotary(context);
  const scrub = createScrub(context);
  const isEmbedded = config.log.type === 'embedded';
  const status = async (): Promise<Status> => {
    const topics = await topicStatus(log, stages.readers, metrics).catch(unreachable);
    const all = [...alarms.active, ...('alarm' in topics ? [topics.alarm] : [])];
    return {
      version,
      deployment,
      started_at,
      roles: [...context.roles],
      ready: ready && all.every(({ advisory }) => advisory === true),
      alarms: all,
      topics: 'alarm' in topics ? [] : topics,
      detect: stages.detectStats(),
      sinks: stages.sinks,
      ...(notary === undefined ? {} : { notary: notary.status() }),
      verification: scrub.status(),
    };
  };
  const listeners = createListeners(context, status, (tenant) => stages.learning(tenant));
  const retention = createRetention(context, notary);
  const schedule = createSchedule(
    [
      ...(log.retain === undefined ? [] : [{ name: 'log_retention', cron: '*/10 * * * *', run: retain }]),
      ...scrubJobs(context, scrub),
      ...(retention === undefined ? [] : [retention.job]),
    ],
    logger,
  );

  async function retain(): Promise<void> {
    const retained = await log.retain?.({ protectedGroups: (topic) => stages.readers[topic] ?? [] });
    const removedCount = retained?.removedCount ?? 0;
    if (removedCount > 0) logger.info({ removedCount }, 'log retention');
  }
  async function startAll(components: readonly Component[]): Promise<void> {
    for (const component of components) {
      release.push(() => component.stop());
      await component.start();
    }
  }

  // Stopped after the ledger, so that it signs what the ledger wrote last.
  if (notary !== undefined) await startAll([notary]);
  await startAll(stages.components);
  // In a fleet others go on with what is in the log.
  if (isEmbedded) release.push(() => drained(status));
  if (retention !== undefined) release.push(() => retention.stop());
  await startAll([...listeners.components, schedule]);
  ready = true;
  const addresses = listeners.addresses();
  if (isEmbedded)
    writeRunFile(config.data_dir, { pid: process.pid, started_at, version, deployment, ...addresses });
  return {
    addresses,
    status,
    stop: async () => {
      ready = false;
      if (isEmbedded) removeRunFile(config.data_dir);
      await releaseAll();
    },
  };
}

/** The log cannot be asked: the process lives, and says that it is not ready and why. */
function unreachable(error: unknown): { readonly alarm: Alarm } {
  if (!(error instanceof CustodyError)) throw error;
  return { alarm: { component: 'log', code: error.code, message: error.message } };
}

/** Waits until no consumer group is behind, or an alarm or the deadline says that one will stay so. */
async function drained(status: () => Promise<Status>): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  while (performance.now() < deadline) {
    const { topics, alarms } = await status();
    if (
      alarms.some(({ advisory }) => advisory !== true) ||
      topics.every(({ lag }) => Object.values(lag).every((records) => records === '0'))
    )
      return;
    await sleep(20);
  }
}
