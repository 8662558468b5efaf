import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { otherNotary, ownNotary } from '../retention/notary-door.ts';
import { runRetention, type RetentionReport, type RunParts } from '../retention/run.ts';
import { pendingRequests } from '../notary/requests.ts';
import { sleep } from '../runtime/backoff.ts';
import { systemClock } from '../runtime/clock.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import { ConfigError, PermanentError, TransientError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { openServerDropper } from '../sinks/store/drop-day.ts';
import { createAlarms } from './alarms.ts';
import type { PipelineOptions } from './context.ts';
import { notaryStateDir } from './notary-state-dir.ts';
import { openNotary } from './notary.ts';
import { openStore } from './open-data.ts';
import { readRunFile } from './run-file.ts';

/** The notary looks every second. */
const ENTER_MAX_MS = 30_000;

type Access = Pick<PipelineOptions, 'config' | 'secrets'>;

/**
 * Retention once, for a command: on a server beside the pipeline, whose notary is asked through its state directory; on an
 * embedded store in place of the stopped pipeline, with a notary of this process.
 * @throws PermanentError `locked` when a pipeline has the embedded store, ConfigError, and as `runRetention`.
 */
export async function retainNow(access: Access, operator: string): Promise<RetentionReport> {
  const { config } = access;
  if (!config.notary.enabled)
    throw new ConfigError('cannot remove days: no notary signs what goes; set notary.enabled: true', {
      path: 'notary.enabled',
    });
  const deployment = config.deployment ?? loadDeployment(config.data_dir, undefined);
  const logger = createLogger({ level: 'warn' });
  const fixed = { deployment, operator, logger, clock: systemClock, retentionDays: config.retention.days };
  return config.store.type === 'clickhouse'
    ? await retainOnServer(access, config.store, fixed)
    : await retainStopped(access, fixed);
}

type Fixed = Omit<RunParts, 'raw' | 'notary' | 'dropper'>;
type ServerConfig = Extract<Access['config']['store'], { type: 'clickhouse' }>;

async function retainOnServer(access: Access, server: ServerConfig, fixed: Fixed): Promise<RetentionReport> {
  const { retention, notary } = access.config;
  if (retention.password === undefined)
    throw new ConfigError(
      'cannot remove days: retention.password must name the password of the user that may drop partitions',
      { path: 'retention.password' },
    );
  const password = access.secrets(retention.password, 'retention.password');
  const store = await openStore(access, 'read');
  const dropper = openServerDropper({ config: server, password }, retention.username);
  try {
    const door = otherNotary({
      stateDir: notaryStateDir(access.config),
      raw: store.raw,
      deployment: fixed.deployment,
      anchorsRequired: notary.anchors_required,
    });
    return await runRetention({ ...fixed, raw: store.raw, notary: door, dropper });
  } finally {
    await dropper.close();
    await store.close();
  }
}

/** What was asked of the stopped pipeline's notary, a hold or its release, counts before anything goes. */
async function entered(stateDir: string): Promise<void> {
  const deadline = performance.now() + ENTER_MAX_MS;
  while ((await pendingRequests(stateDir)).length > 0) {
    if (performance.now() >= deadline)
      throw new TransientError(
        'unavailable',
        'cannot remove days: the notary does not enter what it was asked for',
      );
    await sleep(50);
  }
}

async function retainStopped(access: Access, fixed: Fixed): Promise<RetentionReport> {
  const { config } = access;
  if (readRunFile(config.data_dir) !== undefined)
    throw new PermanentError(
      'locked',
      `cannot remove days: a pipeline runs on ${config.data_dir}, and its store belongs to it; it removes them itself at ${config.retention.cron} (retention.cron), or stop it first`,
    );
  if (!existsSync(join(config.data_dir, 'store')))
    throw new PermanentError('rejected', `cannot remove days: there is no store in ${config.data_dir}`);
  const store = await openStore(access);
  try {
    const notary = await openNotary({
      ...access,
      ...fixed,
      roles: new Set(['notary']),
      store,
      metrics: createMetrics(),
      alarms: createAlarms(({ message }) => fixed.logger.error(message)),
    });
    if (notary === undefined || store.dropper === undefined)
      throw new Error('there is no notary or no store');
    await notary.start();
    try {
      await entered(notaryStateDir(config));
      const door = ownNotary(notary, notaryStateDir(config));
      return await runRetention({ ...fixed, raw: store.raw, notary: door, dropper: store.dropper });
    } finally {
      await notary.stop();
    }
  } finally {
    await store.close();
  }
}
