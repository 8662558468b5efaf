import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Engine } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import { createSharedReplay } from '../../detectors/engine/shared-replay.ts';
import { epochOf } from '../../detectors/engine/shared-statistics.ts';
import { createDetectStage } from '../../pipeline/detect-stage.ts';
import { createSharedExchange } from '../../pipeline/shared-exchange.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { openEmbeddedLog, type EmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { TopicName } from '../../streams/topic.ts';
import {
  callEvent,
  detectConfig,
  endEvent,
  note,
  readTicket,
  workday,
  type Call,
} from '../detectors/sessions.ts';
import { handClock } from '../streams/embedded-harness.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';
import { until } from '../support/pipeline-process.ts';
import { verifies } from '../requirements.ts';

const PARTITIONS = 3;
const EPOCH_MS = 600_000;
const config = detectConfig({ shared_statistics: { enabled: true, epoch_ms: EPOCH_MS } });
const common: Call = { tool: 'create_invoice', server: 'billing', action: 'write' };
const rare: Call = { tool: 'drop_table', server: 'db', action: 'write' };
const tenants = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark'];

/** Half of the tenants use a tool early that the others meet two epochs later; one tool nobody else knows. */
async function fill(log: EmbeddedLog, clock: ReturnType<typeof handClock>): Promise<void> {
  let sessions = 0;
  const session = async (tenant: string, calls: readonly Call[]) => {
    sessions += 1;
    clock.set(clock.nowMs() + 1000);
    const records = calls.map((call, seq) => ({
      key: tenant,
      value: Buffer.from(JSON.stringify(callEvent(tenant, `session-${sessions}`, seq, clock.nowMs(), call))),
    }));
    const end = endEvent(tenant, `session-${sessions}`, clock.nowMs());
    await log
      .topic('custody.events')
      .append([...records, { key: tenant, value: Buffer.from(JSON.stringify(end)) }]);
  };
  for (const tenant of tenants.slice(0, 3)) await session(tenant, [readTicket, common]);
  for (let day = 0; day < 60; day += 1) {
    for (const tenant of tenants) await session(tenant, workday[day % workday.length] ?? []);
  }
  clock.set(clock.nowMs() + 2 * EPOCH_MS);
  for (const tenant of tenants) await session(tenant, [readTicket, note]);
  for (const tenant of tenants.slice(3)) await session(tenant, [readTicket, common]);
  for (const tenant of tenants) await session(tenant, [readTicket, rare]);
}

async function alertsIn(log: EmbeddedLog): Promise<string[]> {
  const ids: string[] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for await (const { value } of log.topic('custody.alerts').read(partition, 0n))
      ids.push((JSON.parse(Buffer.from(value).toString()) as Alert).alert_id);
  }
  return ids.sort();
}

/** What one process that replays the log raises. */
async function replayed(
  log: EmbeddedLog,
  used = config,
): Promise<{ ids: string[]; tools: (string | undefined)[] }> {
  const records: { event: CustodyEvent; appendTimeMs: number; partition: number }[] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for await (const { value, appendTimeMs } of log.topic('custody.events').read(partition, 0n))
      records.push({
        event: JSON.parse(Buffer.from(value).toString()) as CustodyEvent,
        appendTimeMs,
        partition,
      });
  }
  records.sort((a, b) => epochOf(a.appendTimeMs, EPOCH_MS) - epochOf(b.appendTimeMs, EPOCH_MS));
  const engines = new Map<number, Engine>();
  const shared = createSharedReplay(EPOCH_MS);
  const alerts = records.flatMap(({ event, appendTimeMs, partition }) => {
    const engine = engines.get(partition) ?? createEngine(used);
    engines.set(partition, engine);
    shared.enter(partition, engine, appendTimeMs);
    return engine.process({ event, appendTimeMs });
  });
  return {
    ids: alerts.map(({ alert_id }) => alert_id).sort(),
    tools: alerts.filter(({ detector }) => detector.id === 'novel-chain').map(({ tool_name }) => tool_name),
  };
}

it('live, restarted in the middle, and replayed: tenants of different partitions share the same things', async () => {
  verifies('P5', 'P9');
  const directory = await mkdtemp(join(tmpdir(), 'custody-shared-'));
  const clock = handClock(1_790_000_000_000);
  const log = await openEmbeddedLog({
    directory,
    clock,
    config: { ...embeddedLogConfig(), partitions: PARTITIONS },
  });
  try {
    const topic = (name: TopicName) => log.topic(name);
    const stage = (maxEvents: number) => {
      const logger = createLogger({ level: 'silent' });
      const metrics = createMetrics();
      const exchange = createSharedExchange({
        log,
        partitions: PARTITIONS,
        keptEpochs: 1000,
        waitMs: 600_000,
        logger,
        metrics,
      });
      const detect = createDetectStage({
        events: topic('custody.events'),
        alerts: topic('custody.alerts'),
        log,
        createEngine: () => createEngine(config),
        snapshotIntervalMs: 0,
        shared: { exchange, epochMs: EPOCH_MS },
        clock,
        logger,
        metrics,
        onIntegrity: (error) => {
          throw error;
        },
      });
      const seen = async () => (await metrics.detected.get()).values[0]?.value ?? 0;
      return { detect, enough: async () => (await seen()) >= maxEvents };
    };
    await fill(log, clock);
    let events = 0;
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      events += Number((await topic('custody.events').bounds(partition)).end);
    // The end of time for idle partitions: their last epochs are over.
    clock.set(clock.nowMs() + 5 * EPOCH_MS);
    const first = stage(1);
    await first.detect.start();
    await until('the first events', first.enough);
    await first.detect.stop();
    const caughtUp = async () => {
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        const { end } = await topic('custody.events').bounds(partition);
        if (((await topic('custody.events').committed('detect', partition)) ?? 0n) < end) return false;
      }
      return true;
    };
    const second = stage(events);
    await second.detect.start();
    await until('every partition', caughtUp);
    await second.detect.stop();
    const expected = await replayed(log);
    expect(await alertsIn(log)).toEqual(expected.ids);
    expect(expected.tools).toContain('drop_table');
    expect(expected.tools).not.toContain('create_invoice');
    expect((await replayed(log, detectConfig())).tools).toContain('create_invoice');
  } finally {
    await log.close();
    await rm(directory, { recursive: true, force: true });
  }
});
