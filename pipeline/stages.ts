import { createEngine } from '../detectors/engine.ts';
import type { Component } from '../runtime/component.ts';
import type { IntegrityError } from '../runtime/errors.ts';
import { createDelivery } from '../sinks/delivery.ts';
import { createSink } from '../sinks/siem/create-sink.ts';
import { createLedgerWriter } from '../sinks/store/ledger-writer.ts';
import type { PipelineContext } from './context.ts';
import { createDetectStage } from './detect-stage.ts';
import type { Readers, Status } from './status.ts';

export interface Stages {
  /** In starting order. */
  readonly components: readonly Component[];
  readonly readers: Readers;
  readonly sinks: Status['sinks'];
  detectStats(): Record<string, number>;
}

/** Everything that consumes a topic: ledger, detectors, one delivery for each sink. */
export function createStages(context: PipelineContext): Stages {
  const { config, log, clock, logger, metrics } = context;
  const events = log.topic('custody.events');
  const alerts = log.topic('custody.alerts');
  const deadletter = log.topic('custody.deadletter');
  const onIntegrity = (component: string) => (error: IntegrityError) =>
    context.alarms.raise({ component, code: 'integrity', message: error.message });

  const ledger = createLedgerWriter({
    topics: { events, alerts, deadletter },
    store: context.store,
    log,
    deployment: context.deployment,
    config: config.ledger,
    logger,
    metrics,
    onIntegrity: onIntegrity('ledger'),
  });
  const detect = createDetectStage({
    events,
    alerts,
    log,
    createEngine: () => createEngine(config.detect),
    snapshotIntervalMs: config.detect.snapshot_interval_ms,
    clock,
    logger,
    metrics,
    onIntegrity: onIntegrity('detect'),
  });
  const deliveries = config.sinks.map((sinkConfig, index) => {
    const secrets = (reference: Parameters<typeof context.secrets>[0]) =>
      context.secrets(reference, `sinks.${index}`);
    const sink = createSink(sinkConfig, { dataDir: config.data_dir, secrets, logger, metrics, clock });
    const { retry } = sinkConfig;
    const { digestKey } = context;
    return {
      sink,
      delivery: createDelivery({ topic: alerts, deadletter, sink, retry, digestKey, clock, logger, metrics }),
    };
  });

  return {
    components: [ledger, detect, ...deliveries.map(({ delivery }) => delivery)],
    readers: {
      'custody.events': ['ledger', 'detect'],
      'custody.alerts': ['ledger', ...deliveries.map(({ sink }) => `sink.${sink.id}`)],
      'custody.deadletter': ['ledger'],
    },
    sinks: deliveries.map(({ sink }) => ({ id: sink.id, acknowledgement: sink.acknowledgement })),
    detectStats: () => detect.stats(),
  };
}
