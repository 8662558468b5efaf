import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { normalizeAudit } from '../../collectors/normalize/audit.ts';
import { encodeEvent } from '../../collectors/normalize/encode.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import { createDetectStage, type DetectStageOptions } from '../../pipeline/detect-stage.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import type { Alert } from '../../schemas/alert.ts';
import { configSchema } from '../../schemas/config.ts';
import { openEmbeddedLog, type EmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { TopicRecord } from '../../streams/topic.ts';
import { until } from '../support/pipeline-process.ts';
import { verifies } from '../requirements.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

const config = configSchema.parse({});
let directory: string;
let log: EmbeddedLog;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-detect-'));
  log = await openEmbeddedLog({ directory, config: embeddedLogConfig(), clock: systemClock });
});
afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

function stage(snapshotIntervalMs: number, changes: Partial<DetectStageOptions> = {}) {
  return createDetectStage({
    events: log.topic('custody.events'),
    alerts: log.topic('custody.alerts'),
    log,
    createEngine: () => createEngine(config.detect),
    snapshotIntervalMs,
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    onIntegrity: (error) => {
      throw error;
    },
    ...changes,
  });
}

/** A wildcard grant of a new agent: one alert of its own. */
async function appendGrant(agent: string): Promise<void> {
  await appendGrants([agent]);
}

async function appendGrants(agents: readonly string[]): Promise<void> {
  await log.topic('custody.events').append(agents.map(grantOf));
}

function grantOf(agent: string): TopicRecord {
  const record = {
    id: agent,
    'actor.id': agent,
    'actor.type': 'agent',
    'session.id': agent,
    'tool.name': 't',
    'scope.grants': ['admin:*'],
    'policy.decision': 'allow',
  };
  const event = normalizeAudit(record, {
    collector: 'audit_http',
    tenant: 'default',
    tenantPinned: false,
    observedTimeUnixNano: `${Date.now()}000000`,
    digestKey: Buffer.alloc(32, 1),
  });
  return { key: 'default', value: encodeEvent(event) };
}

async function alertedAgents(): Promise<(string | undefined)[]> {
  const agents = [];
  for await (const { value } of log.topic('custody.alerts').read(0, 0n))
    agents.push((JSON.parse(Buffer.from(value).toString()) as Alert).actor_id);
  return agents;
}

async function runOver(
  agents: readonly string[],
  expectedAlerts: number,
  snapshotIntervalMs = 600_000,
): Promise<void> {
  const detect = stage(snapshotIntervalMs);
  await detect.start();
  for (const agent of agents) await appendGrant(agent);
  await until(`${expectedAlerts} alerts`, async () => (await alertedAgents()).length >= expectedAlerts);
  await detect.stop();
}

describe('the detect stage', () => {
  test('raises each alert once over restarts', async () => {
    verifies('P5');
    await runOver(['a', 'b'], 2);
    await runOver(['c'], 3);
    expect(await alertedAgents()).toEqual(['a', 'b', 'c']);
  });

  test('leaves out the alerts a crashed run had appended after its last snapshot', async () => {
    verifies('P6');
    await runOver(['a'], 1);
    const kept = await log.state.read('detect-position/0');
    const states: { name: string; value: Uint8Array }[] = [];
    for await (const entry of log.state.entries('detect/0/')) states.push(entry);
    await runOver(['b', 'c'], 3);
    // The crash: state and position are as they were before b and c, the alerts of b and c are in the topic.
    const current: { name: string; value: undefined }[] = [];
    for await (const { name } of log.state.entries('detect/0/')) current.push({ name, value: undefined });
    await log.state.write(current);
    await log.state.write([...states, { name: 'detect-position/0', value: kept }]);
    await runOver(['d'], 4);
    expect(await alertedAgents()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('repeats no alert when it takes several snapshots to catch up with the run that crashed', async () => {
    verifies('P5', 'P6');
    const agents = Array.from({ length: 1500 }, (_, index) => `agent-${index}`);
    await appendGrants(agents);
    await runOver([], agents.length);
    // The crash came before the first snapshot; the alerts of all events are in the topic.
    for await (const { name } of log.state.entries('detect'))
      await log.state.write([{ name, value: undefined }]);
    await runOver(['last'], agents.length + 1, 0);
    expect(await alertedAgents()).toEqual([...agents, 'last']);
  });

  test('learns again from the log when its state is of another version, and repeats no alert', async () => {
    await runOver(['a', 'b'], 2);
    for await (const { name } of log.state.entries('detect/0/engine')) {
      await log.state.write([{ name, value: Buffer.from('another version') }]);
    }
    await runOver(['c'], 3);
    expect(await alertedAgents()).toEqual(['a', 'b', 'c']);
  });

  test('passes over bodies that are not events', async () => {
    const detect = stage(600_000);
    await detect.start();
    await log.topic('custody.events').append([
      { key: 'default', value: Buffer.from('{"schema":"other"}') },
      { key: 'default', value: Buffer.from([0xff, 0x00]) },
    ]);
    await appendGrant('a');
    await until('the alert', async () => (await alertedAgents()).length === 1);
    await detect.stop();
  });

  test('lets everything else run while it makes a snapshot of many sessions', async () => {
    let turns = 0;
    const seen: number[] = [];
    const count = setInterval(() => (turns += 1), 0);
    const detect = stage(600_000, {
      createEngine: () => ({
        ...createEngine(config.detect),
        *snapshot() {
          for (let piece = 0; piece < 1_000; piece += 1) {
            seen.push(turns);
            const until = performance.now() + 0.1;
            while (performance.now() < until);
            yield { name: `session/default/${piece}`, value: Buffer.of(1) };
          }
        },
      }),
    });
    await detect.start();
    await appendGrant('agent');
    await until('the alert', async () => (await alertedAgents()).length === 1);
    await detect.stop();
    clearInterval(count);
    expect(new Set(seen).size).toBeGreaterThan(5);
  });
});
