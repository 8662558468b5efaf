import { join } from 'node:path';
import { loadDeployment, makeDataDirectory } from '../runtime/deployment.ts';
import { loadDigestKey, parseDigestKey } from '../runtime/digest-key.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { openServerStore } from '../sinks/store/server-store.ts';
import { openEmbeddedLog } from '../streams/embedded/open-log.ts';
import { openKafkaLog } from '../streams/kafka/open-log.ts';
import { createAlarms } from './alarms.ts';
import type { OpenLog, OpenStore, PipelineContext, PipelineOptions } from './context.ts';
import { openSealing } from './open-subjects.ts';
import { needStore, refuseImpossibleRoles } from './roles.ts';

type Release = (() => Promise<void>)[];

/** Opens the log, the store the roles need, and the identity of the deployment; `release` is filled in opening order. */
export async function openData(options: PipelineOptions, release: Release): Promise<PipelineContext> {
  const { config, logger, roles } = options;
  refuseImpossibleRoles(config, roles);
  const metrics = createMetrics();
  const log = await openLog(options, metrics);
  release.push(() => log.close());
  const access = roles.has('ledger') ? 'write' : 'read';
  const store = needStore(roles) ? await openStore(options, access) : undefined;
  if (store !== undefined) release.push(() => store.close());
  const alarms = createAlarms(
    (alarm) => {
      logger.error({ alarm }, 'alarm');
      metrics.alarms.set({ component: alarm.component, code: alarm.code }, 1);
    },
    ({ component, code, place }) => {
      logger.info({ component, code, place }, 'alarm is over');
      const still = alarms.active.some((each) => each.component === component && each.code === code);
      if (!still) metrics.alarms.set({ component, code }, 0);
    },
  );
  const identity = identityOf(options);
  const sealing = await openSealing({ ...options, ...identity, metrics }, release);
  return { ...options, log, store, ...identity, sealing, metrics, alarms };
}

async function openLog(options: PipelineOptions, metrics: PipelineContext['metrics']): Promise<OpenLog> {
  const { config, clock, logger } = options;
  if (config.log.type === 'kafka') {
    return openKafkaLog({ config: config.log, credentials: kafkaCredentials(options), metrics, logger });
  }
  makeDataDirectory(config.data_dir);
  return openEmbeddedLog({
    directory: join(config.data_dir, 'log'),
    config: config.log,
    clock,
    metrics,
    logger,
  });
}

export function kafkaCredentials({ config, secrets }: Pick<PipelineOptions, 'config' | 'secrets'>): {
  readonly password: string | undefined;
} {
  const sasl = config.log.type === 'kafka' ? config.log.sasl : undefined;
  return { password: sasl === undefined ? undefined : secrets(sasl.password, 'log.sasl.password') };
}

/** The store of the configuration; `read` needs no right to write. */
export async function openStore(
  { config, secrets }: Pick<PipelineOptions, 'config' | 'secrets'>,
  access: 'read' | 'write' = 'write',
): Promise<OpenStore> {
  if (config.store.type === 'embedded') return openChdbStore({ path: join(config.data_dir, 'store') });
  const { password } = config.store;
  return openServerStore({
    config: config.store,
    password: password === undefined ? undefined : secrets(password, 'store.password'),
    access,
  });
}

/** Who we are and what digests are keyed with: configured in a fleet, made once in the data directory otherwise. */
function identityOf({ config, secrets }: PipelineOptions): Pick<PipelineContext, 'deployment' | 'digestKey'> {
  const configured =
    config.digest_key === undefined
      ? undefined
      : parseDigestKey(secrets(config.digest_key, 'digest_key'), 'digest_key');
  if (config.log.type === 'kafka' && config.deployment !== undefined) {
    return { deployment: config.deployment, digestKey: configured };
  }
  return {
    deployment: loadDeployment(config.data_dir, config.deployment),
    digestKey: configured ?? loadDigestKey(config.data_dir),
  };
}
