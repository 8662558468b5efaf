// Run by modes.test.ts: one worker of a run over a log that was recorded before. It reads the recorded topics in
// consumer groups of its run, and keeps claims, state and alerts in a namespace of its run. On standard input `go`
// starts the handling, `stop` or the end stops it.
import { createInterface } from 'node:readline';
import { createEngine } from '../../../detectors/engine/engine.ts';
import { createDetectStage } from '../../../pipeline/detect-stage.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { configSchema, type KafkaLogConfig } from '../../../schemas/config.ts';
import { createLedgerWriter } from '../../../sinks/store/ledger-writer.ts';
import { openServerStore } from '../../../sinks/store/server-store.ts';
import { openKafkaLog } from '../../../streams/kafka/open-log.ts';
import type { Topic } from '../../../streams/topic.ts';
import { serverConfig } from '../../support/clickhouse/server-config.ts';

export interface WorkerOptions {
  readonly recorded: KafkaLogConfig;
  readonly own: KafkaLogConfig;
  /** Consumer groups begin with it. */
  readonly run: string;
  readonly storeUrl: string;
  readonly deployment: string;
  readonly ledgerBatchRecords: number;
}

/** What a worker did, as its last line of output. */
export interface WorkerCounts {
  readonly detect: number;
  readonly ledger: number;
}

const options = JSON.parse(process.argv[2] ?? '') as WorkerOptions;
const config = configSchema.parse({});
const logger = createLogger({ level: 'warn' });
const metrics = createMetrics();
const credentials = { password: undefined };
const [recorded, own, store] = await Promise.all([
  openKafkaLog({ config: options.recorded, credentials, logger }),
  openKafkaLog({ config: options.own, credentials, logger }),
  openServerStore({ config: serverConfig(options.storeUrl), password: undefined }),
]);
const counts: Record<string, number> = { detect: 0, ledger: 0 };
let go: () => void = () => undefined;
const started = new Promise<void>((resolve) => (go = resolve));
const onIntegrity = (error: Error) => {
  throw error;
};

/** The recorded topic in a group of this run; nothing is handled before `go`. */
function ofRun(topic: Topic): Topic {
  return {
    ...topic,
    consume: (consuming) =>
      topic.consume({
        ...consuming,
        group: `${options.run}-${consuming.group}`,
        async handle(batch, lease) {
          const { signal } = lease;
          const moved = new Promise<void>((resolve) =>
            signal.addEventListener('abort', () => resolve(), { once: true }),
          );
          await (signal.aborted ? undefined : Promise.race([started, moved]));
          if (signal.aborted) throw new Error('the partition moved before the start');
          await consuming.handle(batch, lease);
          counts[consuming.group] = (counts[consuming.group] ?? 0) + batch.records.length;
        },
      }),
  };
}

const [events, alerts, deadletter] = [
  ofRun(recorded.topic('custody.events')),
  ofRun(recorded.topic('custody.alerts')),
  ofRun(recorded.topic('custody.deadletter')),
];
const stages = [
  createDetectStage({
    events,
    alerts: own.topic('custody.alerts'),
    log: own,
    createEngine: () => createEngine(config.detect),
    snapshotIntervalMs: 300,
    clock: systemClock,
    logger,
    metrics,
    onIntegrity,
  }),
  createLedgerWriter({
    topics: { events, alerts, deadletter },
    store,
    log: own,
    deployment: options.deployment,
    config: { ...config.ledger, linger_ms: 20, batch_max_records: options.ledgerBatchRecords },
    logger,
    metrics,
    onIntegrity,
  }),
];
for (const stage of stages) await stage.start();

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'go') go();
  if (line === 'stop') break;
}
go();
await Promise.all(stages.map((stage) => stage.stop()));
await Promise.all([recorded.close(), own.close(), store.close()]);
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);
