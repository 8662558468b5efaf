import { createEngine } from '../detectors/engine/engine.ts';
import type { Component } from '../runtime/component.ts';
import type { IntegrityError } from '../runtime/errors.ts';
import { createDelivery } from '../sinks/delivery.ts';
import { createSink } from '../sinks/siem/create-sink.ts';
import type { Sink } from '../sinks/sink.ts';
import { createLedgerWriter } from '../sinks/store/ledger-writer.ts';
import type { Store } from '../sinks/store/store.ts';
import type { PipelineContext } from './context.ts';
import { createDetectStage } from './detect-stage.ts';
import type { PartitionDetectorOptions } from './partition-detector.ts';
import { createPolicyDocuments } from './policy-documents.ts';
import { policySources } from './policy-sources.ts';
import { createSharedExchange } from './shared-exchange.ts';
import { readersOf, type Learning, type Readers, type Status } from './status.ts';

export interface Stages {
  /** In starting order. */
  readonly components: readonly Component[];
  readonly readers: Readers;
  readonly sinks: Status['sinks'];
  detectStats(): Record<string, number>;
  learning(tenant: string): Learning;
}

/** Everything that consumes a topic and that this process does: ledger, detectors, one delivery for each sink. */
export function createStages(context: PipelineContext): Stages {
  const { config, log, roles } = context;
  const components: Component[] = [];
  let detectStats = (): Record<string, number> => ({});
  let learning: Stages['learning'] = () => ({});
  let sinks: Status['sinks'] = [];

  if (roles.has('ledger') && context.store !== undefined) {
    components.push(createLedger(context, context.store));
  }
  if (roles.has('detect')) {
    const policies = createPolicyDocuments({
      sources: policySources(config),
      intervalMs: Math.min(config.registry.reload_interval_ms, config.rules.reload_interval_ms),
      alarms: context.alarms,
      logger: context.logger,
    });
    const detect = createDetectStage({
      events: log.topic('custody.events'),
      alerts: log.topic('custody.alerts'),
      log,
      createEngine: () => createEngine(config.detect),
      snapshotIntervalMs: config.detect.snapshot_interval_ms,
      shared: sharedOf(context),
      policies,
      clock: context.clock,
      logger: context.logger,
      metrics: context.metrics,
      onIntegrity: alarmOf(context, 'detect'),
    });
    components.push(policies, detect);
    detectStats = () => detect.stats();
    learning = (tenant) => detect.learning(tenant);
  }
  if (roles.has('sink')) {
    const deliveries = config.sinks.map((_, index) => createSinkDelivery(context, index));
    components.push(...deliveries.map(({ delivery }) => delivery));
    sinks = deliveries.map(({ sink }) => ({ id: sink.id, acknowledgement: sink.acknowledgement }));
  }
  return {
    components,
    readers: readersOf(config, roles),
    sinks,
    detectStats: () => detectStats(),
    learning: (tenant) => learning(tenant),
  };
}

const alarmOf =
  ({ alarms }: PipelineContext, component: string) =>
  (error: IntegrityError, place: string) =>
    alarms.raise({ component, code: 'integrity', place, message: error.message });

function createLedger(context: PipelineContext, store: Store): Component {
  const { config, log, deployment, logger, metrics } = context;
  return createLedgerWriter({
    topics: {
      events: log.topic('custody.events'),
      alerts: log.topic('custody.alerts'),
      deadletter: log.topic('custody.deadletter'),
    },
    store,
    log,
    deployment,
    config: config.ledger,
    logger,
    metrics,
    onIntegrity: alarmOf(context, 'ledger'),
  });
}

const HOUR_MS = 3_600_000;

/** What tenants share, when the configuration says so. */
function sharedOf({ config, log, logger, metrics }: PipelineContext): PartitionDetectorOptions['shared'] {
  const { enabled, epoch_ms, wait_ms } = config.detect.shared_statistics;
  if (!enabled) return undefined;
  const exchange = createSharedExchange({
    log,
    partitions: config.log.partitions,
    keptEpochs: Math.ceil((config.log.retention_hours * HOUR_MS) / epoch_ms) + 3,
    waitMs: wait_ms,
    logger,
    metrics,
  });
  return { exchange, epochMs: epoch_ms };
}

function createSinkDelivery(context: PipelineContext, index: number): { sink: Sink; delivery: Component } {
  const { config, log, clock, logger, metrics, digestKey } = context;
  const sinkConfig = config.sinks[index];
  if (sinkConfig === undefined) throw new RangeError(`there is no sink ${index}`);
  const secrets = (reference: Parameters<typeof context.secrets>[0]) =>
    context.secrets(reference, `sinks.${index}`);
  const sink = createSink(sinkConfig, { dataDir: config.data_dir, secrets, logger, metrics, clock });
  const delivery = createDelivery({
    topic: log.topic('custody.alerts'),
    deadletter: log.topic('custody.deadletter'),
    sink,
    retry: sinkConfig.retry,
    includeShadow: sinkConfig.include_shadow,
    onIntegrity: alarmOf(context, `sink.${sinkConfig.id}`),
    digestKey,
    clock,
    logger,
    metrics,
  });
  return { sink, delivery };
}
