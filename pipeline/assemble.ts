import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createIngestGrpc } from '../collectors/ingest-grpc.ts';
import { createIngestHttp } from '../collectors/ingest-http.ts';
import { createEngine } from '../detectors/engine.ts';
import type { BearerToken } from '../runtime/bearer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Component } from '../runtime/component.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import { loadDigestKey } from '../runtime/digest-key.ts';
import type { IntegrityError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import type { Config, ListenerConfig } from '../schemas/config.ts';
import { createDelivery } from '../sinks/delivery.ts';
import { createSink } from '../sinks/siem/create-sink.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { createLedgerWriter } from '../sinks/store/ledger-writer.ts';
import { createSqlEndpoint } from '../sinks/store/sql-endpoint/sql-endpoint.ts';
import { openEmbeddedLog } from '../streams/embedded/open-log.ts';
import { createAdminHttp } from './admin-http.ts';
import { createAlarms } from './alarms.ts';
import { createDetectStage } from './detect-stage.ts';
import { removeRunFile, writeRunFile, type Address, type Addresses } from './run-file.ts';
import { createSchedule } from './schedule.ts';
import { topicStatus, type Readers, type Status } from './status.ts';

export interface PipelineOptions {
  readonly config: Config;
  readonly version: string;
  readonly tokens: {
    readonly ingest: readonly BearerToken[];
    readonly sql: readonly BearerToken[];
    readonly admin: readonly BearerToken[];
  };
  /** Reads a secret a sink refers to. */
  readonly secrets: (
    reference: { readonly file?: string | undefined; readonly env?: string | undefined },
    path: string,
  ) => string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Pipeline {
  readonly addresses: Addresses;
  status(): Promise<Status>;
  /** Drains what was accepted, in the order of the data flow, then releases the data directory. */
  stop(): Promise<void>;
}

/**
 * The embedded pipeline in one process: collectors → log → detectors, ledger → store, sinks. Starts consumers before
 * collectors, so that nothing is accepted that nobody would handle; stops in the opposite order.
 * @throws PermanentError (`locked`, `port_taken`), ConfigError, IntegrityError (the store is behind or differs).
 */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { config, clock, logger } = options;
  const metrics = createMetrics();
  const dataDir = config.data_dir;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const log = await openEmbeddedLog({
    directory: join(dataDir, 'log'),
    config: config.log,
    clock,
    metrics,
    logger,
  });
  const started: Component[] = [];
  try {
    const deployment = loadDeployment(dataDir, config.deployment);
    const digestKey = loadDigestKey(dataDir);
    const store = await openChdbStore({ path: join(dataDir, 'store') });
    started.push({ name: 'store', start: () => Promise.resolve(), stop: () => store.close() });

    const events = log.topic('custody.events');
    const alerts = log.topic('custody.alerts');
    const deadletter = log.topic('custody.deadletter');
    const alarms = createAlarms((alarm) => {
      logger.error({ alarm }, 'alarm');
      metrics.alarms.set({ component: alarm.component, code: alarm.code }, 1);
    });
    const onIntegrity = (component: string) => (error: IntegrityError) => {
      alarms.raise({ component, code: 'integrity', message: error.message });
    };

    const ledger = createLedgerWriter({
      topics: { events, alerts, deadletter },
      store,
      state: log.state,
      deployment,
      config: config.ledger,
      logger,
      metrics,
      onIntegrity: onIntegrity('ledger'),
    });
    const detect = createDetectStage({
      events,
      alerts,
      state: log.state,
      createEngine: () => createEngine(config.detect),
      snapshotIntervalMs: config.detect.snapshot_interval_ms,
      clock,
      logger,
      metrics,
      onIntegrity: onIntegrity('detect'),
    });
    const sinks = config.sinks.map((sinkConfig, index) =>
      createSink(sinkConfig, {
        dataDir,
        secrets: (reference) => options.secrets(reference, `sinks.${index}`),
        logger,
        metrics,
        clock,
      }),
    );
    const deliveries = sinks.map((sink, index) =>
      createDelivery({
        topic: alerts,
        deadletter,
        sink,
        retry: config.sinks[index]?.retry,
        digestKey,
        clock,
        logger,
        metrics,
      }),
    );
    const readers: Readers = {
      'custody.events': ['ledger', 'detect'],
      'custody.alerts': ['ledger', ...sinks.map((sink) => `sink.${sink.id}`)],
      'custody.deadletter': ['ledger'],
    };
    const startedAt = new Date(clock.nowMs()).toISOString();
    let ready = false;
    const status = async (): Promise<Status> => ({
      version: options.version,
      deployment,
      started_at: startedAt,
      ready: ready && alarms.active.length === 0,
      alarms: alarms.active,
      topics: await topicStatus(log, readers, metrics),
      detect: detect.stats(),
      sinks: sinks.map(({ id, acknowledgement }) => ({ id, acknowledgement })),
    });

    const collect = {
      config: config.ingest,
      events,
      deadletter,
      digestKey,
      clock,
      logger,
      metrics,
      tokens: options.tokens.ingest,
    };
    const sql = listenerOf(config.sql.listener.enabled, () =>
      createSqlEndpoint({
        config: config.sql,
        tokens: options.tokens.sql,
        storePath: store.path,
        logger,
        metrics,
        clock,
      }),
    );
    const admin = listenerOf(config.admin.listener.enabled, () =>
      createAdminHttp({ listener: config.admin.listener, tokens: options.tokens.admin, metrics, status }),
    );
    const http = listenerOf(config.ingest.http.enabled, () => createIngestHttp(collect));
    const grpc = listenerOf(config.ingest.grpc.enabled, () => createIngestGrpc(collect));
    const retain = async () => {
      const { removedCount } = await log.retain({ protectedGroups: (topic) => readers[topic] });
      if (removedCount > 0) logger.info({ removedCount }, 'log retention');
    };
    const schedule = createSchedule(
      [{ name: 'log_retention', cron: '*/10 * * * *', run: () => retain() }],
      logger,
    );

    for (const component of [ledger, detect, ...deliveries, sql, admin, http, grpc, schedule]) {
      if (component === undefined) continue;
      await component.start();
      started.push(component);
    }
    ready = true;
    const addresses: Addresses = {
      ...(http && { http: addressOf(http, config.ingest.http) }),
      ...(grpc && { grpc: addressOf(grpc, config.ingest.grpc) }),
      ...(sql && { sql: addressOf(sql, config.sql.listener) }),
      ...(admin && { admin: addressOf(admin, config.admin.listener) }),
    };
    writeRunFile(dataDir, {
      pid: process.pid,
      started_at: startedAt,
      version: options.version,
      deployment,
      ...addresses,
    });
    return {
      addresses,
      status,
      stop: async () => {
        ready = false;
        removeRunFile(dataDir);
        await stopAll(started);
        await log.close();
      },
    };
  } catch (error) {
    await stopAll(started);
    await log.close();
    throw error;
  }
}

async function stopAll(started: readonly Component[]): Promise<void> {
  for (const component of [...started].reverse()) await component.stop();
}

type Listening = Component & { address(): { readonly host: string; readonly port: number } };

function listenerOf(enabled: boolean, create: () => Listening): Listening | undefined {
  return enabled ? create() : undefined;
}

function addressOf(listening: Listening, listener: ListenerConfig): Address {
  return { ...listening.address(), tls: listener.tls !== undefined };
}
