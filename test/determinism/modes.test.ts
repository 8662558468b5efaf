import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../detectors/engine/engine.ts';
import { createDetectStage } from '../../pipeline/detect-stage.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema, type KafkaLogConfig } from '../../schemas/config.ts';
import { openChdbStore } from '../../sinks/store/chdb-store.ts';
import { createLedgerWriter } from '../../sinks/store/ledger-writer.ts';
import { openServerStore } from '../../sinks/store/server-store.ts';
import { verifyStore } from '../../sinks/store/verify-store.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import { type Log, type Topic, TOPIC_NAMES, type TopicName } from '../../streams/topic.ts';
import { verifies } from '../requirements.ts';
import { kafkaConfig } from '../streams/kafka-harness.ts';
import { handClock, logConfig } from '../streams/embedded-harness.ts';
import { serverConfig } from '../support/clickhouse/server-config.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { until } from '../support/pipeline-process.ts';
import { memoryLog, memoryState } from '../support/memory-topic.ts';
import {
  agentTraffic,
  type AuditRecord,
  hasRecordedSessions,
  recordedSessions,
  TENANTS,
  UNUSABLE,
} from './agent-traffic.ts';
import { raisedAlerts, storedEntries } from './placed.ts';
import { readRecording, type RecordedTopic, type Recording, replayedTopic } from './recording.ts';
import { firstDifference, type Placed } from './same-bytes.ts';
import { handled, membersOf, runWorkers, type WorkerRun } from './worker-run.ts';

const PARTITIONS = 4;
const HOUR_MS = 3_600_000;
const config = configSchema.parse({});
const logger = createLogger({ level: 'silent' });

let fleet: Fleet;
let kafka: KafkaLogConfig;
let log: Log;
let recording: Recording;
/** What the fleet of four wrote and raised while the log was recorded. */
let entries: Placed[];
let alerts: Placed[];
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-modes-'));
  fleet = await startFleet({ partitions: PARTITIONS, env: { CUSTODY_LEDGER_BATCH_MAX_RECORDS: '150' } });
  const namespace = fleet.env['CUSTODY_LOG_NAMESPACE'] ?? '';
  kafka = kafkaConfig(fleet.kafka.bootstrap, { namespace, partitions: PARTITIONS });
  log = await openKafkaLog({ config: kafka, credentials: { password: undefined } });
  await recordWithFleetOfFour();
  recording = await readRecording(log);
  alerts = raisedAlerts(topicOf('custody.alerts').partitions);
  const store = await openServerStore({
    config: serverConfig(fleet.clickhouse.url, { username: fleet.clickhouse.username }),
    password: fleet.clickhouse.password,
    access: 'read',
  });
  const stored = await storedEntries(store.raw);
  entries = stored.entries;
  await store.close();
  process.stdout.write(
    `recorded ${countOf('custody.events')} events, ${countOf('custody.deadletter')} unusable, ${alerts.length} alerts; ` +
      `${entries.length} entries, ${stored.copies} identical copies\n`,
  );
});

afterAll(async () => {
  await log.close();
  await fleet.stop();
  await rm(directory, { recursive: true, force: true });
});

const topicOf = (name: TopicName, of = recording): RecordedTopic => {
  const topic = of.get(name);
  if (topic === undefined) throw new Error(`${name} was not recorded`);
  return topic;
};
const countOf = (name: TopicName) => topicOf(name).partitions.flat().length;

/**
 * One worker of each kind, then two, then four, while agents go on sending; then a detector and a ledger writer are
 * killed in the middle of their work and replaced.
 */
async function recordWithFleetOfFour(): Promise<void> {
  const start = Date.now() - 3 * HOUR_MS;
  const records = [...agentTraffic(start), ...recordedSessions(1500)];
  const part = (number: number) =>
    records.filter((_, index) => Math.floor((index * 5) / records.length) === number);
  const { http = '' } = await fleet.start('collector');
  const worker = () => Promise.all([fleet.start('detect'), fleet.start('ledger')]);
  await worker();
  await post(http, part(0));
  const [, victims] = await Promise.all([post(http, part(1)), worker()]);
  await Promise.all([post(http, part(2)), worker(), worker()]);
  const groups = ['detect.events', ...TOPIC_NAMES.map((name) => `ledger.${name.slice('custody.'.length)}`)];
  await membersOf(kafka, groups, 4);
  const writing = post(http, part(3));
  await Promise.all(victims.map((victim) => victim.kill()));
  await Promise.all([writing, worker()]);
  await post(http, part(4), UNUSABLE);
  await handled(log, 'custody.events', 'detect');
  for (const name of TOPIC_NAMES) await handled(log, name, 'ledger');
  await Promise.all([...fleet.processes].map((process) => process.kill()));
}

async function post(
  http: string,
  records: readonly AuditRecord[],
  more: readonly string[] = [],
): Promise<void> {
  const lines = [...records.map((record) => JSON.stringify({ ...record, sent_ms: undefined })), ...more];
  for (let at = 0; at < lines.length; at += 60) {
    const answer = await fetch(`${http}/v1/audit`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.slice(at, at + 60).join('\n'),
    });
    if (!answer.ok) throw new Error(`the collector answered ${answer.status}: ${await answer.text()}`);
  }
}

interface StageTopics {
  readonly events: Topic;
  readonly alerts: Topic;
  readonly log: Pick<Log, 'claim'>;
}
const fail = (error: Error) => {
  throw error;
};
const detectStage = ({ events, alerts: raised, log: claims }: StageTopics) =>
  createDetectStage({
    events,
    alerts: raised,
    log: claims,
    createEngine: () => createEngine(config.detect),
    snapshotIntervalMs: 200,
    clock: systemClock,
    logger,
    metrics: createMetrics(),
    onIntegrity: fail,
  });

const bodies = (placed: readonly Placed[]) =>
  placed.map(({ place, columns }) => ({
    place,
    columns: { alert_id: columns['alert_id'] ?? '', body: columns['body'] ?? '' },
  }));

describe('the recorded log', () => {
  it('has events of every tenant in every partition, unusable input, and alerts of every detector', () => {
    const events = topicOf('custody.events').partitions;
    expect(events.map((records) => records.length > 0)).toEqual([true, true, true, true]);
    const keys = new Set(events.flat().map(({ key }) => key));
    expect(TENANTS.filter((tenant) => !keys.has(tenant))).toEqual([]);
    expect(countOf('custody.events')).toBeGreaterThan(3000);
    expect(countOf('custody.deadletter')).toBeGreaterThanOrEqual(3);
    const raised = topicOf('custody.alerts').partitions.flat();
    const detectors = raised.map(
      ({ value }) => (JSON.parse(Buffer.from(value).toString()) as { detector: { id: string } }).detector.id,
    );
    expect([...new Set(detectors)]).toEqual(
      expect.arrayContaining(['exfil-spike', 'loop', 'novel-chain', 'scope-drift', 'first-seen']),
    );
    expect(raised.length).toBeGreaterThan(48);
    const ids = new Set(alerts.map(({ columns }) => columns['alert_id']));
    expect(ids.size).toBe(alerts.length);
    const logs = new Set(entries.map(({ place }) => place.replace(/ seq .*/, '')));
    expect(entries.length - logs.size).toBe(
      countOf('custody.events') + countOf('custody.deadletter') + alerts.length,
    );
  });

  it.skipIf(!hasRecordedSessions)('has recorded sessions of real agents', () => {
    const keys = topicOf('custody.events')
      .partitions.flat()
      .map(({ key }) => key);
    expect(keys.filter((key) => key.startsWith('tenant-')).length).toBe(1500);
    expect(alerts.filter(({ place }) => place.startsWith('tenant tenant-')).length).toBeGreaterThan(0);
  });
});

it('a log that many read at once lets go of every connection when it closes', async () => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = sockets();
  const partitions = [0, 1, 2, 3, 0, 1, 2, 3];
  // Whether two first requests meet is a matter of chance.
  for (let time = 0; time < 10; time += 1) {
    const own = await openKafkaLog({ config: kafka, credentials: { password: undefined } });
    const topic = own.topic('custody.events');
    const first = await Promise.all(
      partitions.map(async (partition) => {
        for await (const { offset } of topic.read(partition, 0n, 1n)) return offset;
        return undefined;
      }),
    );
    expect(first).toEqual(partitions.map(() => 0n));
    await own.close();
  }
  await until('the sockets to be gone', () => sockets() <= before);
});

describe.each([1, 2])('workers: %i', (count) => {
  let run: WorkerRun;
  beforeAll(async () => {
    run = await runWorkers(kafka, count);
  });
  afterAll(() => run.close());

  it('raises the alerts the fleet of four raised, in its order and with its bytes', async () => {
    verifies('P5', 'P9');
    const own = await readRecording(run.own);
    expect(firstDifference(alerts, raisedAlerts(topicOf('custody.alerts', own).partitions))).toBeUndefined();
    expect(run.counts.map(({ detect }) => detect > 0)).toEqual(Array(count).fill(true));
  });

  it('writes the entries the fleet of four wrote, byte for byte', async () => {
    verifies('P3', 'P9');
    const { entries: written } = await storedEntries(run.store.raw);
    expect(firstDifference(entries, written)).toBeUndefined();
    expect(run.counts.map(({ ledger }) => ledger > 0)).toEqual(Array(count).fill(true));
  });

  it('has a store that is valid and can be built again from the log', async () => {
    const report = await verifyStore({
      raw: run.store.raw,
      schema: run.store.schema,
      states: run.own.states('ledger'),
      topics: () => Promise.resolve(TOPIC_NAMES.map((name) => log.topic(name))),
      deployment: 'fleet',
      rebuild: true,
    });
    expect(report).toMatchObject({ verdict: 'valid', findings: [], entries: entries.length });
  });
});

describe('the embedded path', () => {
  it('gives the entries and the alerts of the fleet for the same records at the same places', async () => {
    verifies('P3', 'P5', 'P9');
    const topics = {
      events: replayedTopic('custody.events', topicOf('custody.events'), 97),
      alerts: replayedTopic('custody.alerts', topicOf('custody.alerts'), 97),
      deadletter: replayedTopic('custody.deadletter', topicOf('custody.deadletter'), 97),
    };
    const store = await openChdbStore({ path: join(directory, 'replayed') });
    const ledger = createLedgerWriter({
      topics,
      store,
      log: memoryLog(memoryState()),
      deployment: 'fleet',
      config: config.ledger,
      logger,
      metrics: createMetrics(),
      onIntegrity: fail,
    });
    await ledger.start();
    await Promise.all(Object.values(topics).map((topic) => topic.drained('ledger')));
    await ledger.stop();
    const { entries: written } = await storedEntries(store.raw);
    await store.close();
    expect(firstDifference(entries, written)).toBeUndefined();

    const own = await openEmbeddedLog({
      directory: join(directory, 'alerts'),
      config: logConfig({ partitions: PARTITIONS }),
      clock: systemClock,
    });
    const events = replayedTopic('custody.events', topicOf('custody.events'), 31);
    const detect = detectStage({ events, alerts: own.topic('custody.alerts'), log: own });
    await detect.start();
    await events.drained('detect');
    await detect.stop();
    const raised = raisedAlerts(topicOf('custody.alerts', await readRecording(own)).partitions);
    await own.close();
    expect(firstDifference(alerts, raised)).toBeUndefined();
  });

  it('appended again, the records are the entries they were: only the id of the topic and offsets are others', async () => {
    verifies('P3', 'P5', 'P9');
    const clock = handClock();
    const { log: own, close } = await appendAgain('same-times', clock, (ms) => clock.set(ms));
    await detectAll(own);
    const store = await openChdbStore({ path: join(directory, 'appended') });
    const ledger = createLedgerWriter({
      topics: {
        events: own.topic('custody.events'),
        alerts: own.topic('custody.alerts'),
        deadletter: own.topic('custody.deadletter'),
      },
      store,
      log: own,
      deployment: 'fleet',
      config: { ...config.ledger, linger_ms: 0 },
      logger,
      metrics: createMetrics(),
      onIntegrity: fail,
    });
    await ledger.start();
    for (const name of TOPIC_NAMES) await handled(own, name, 'ledger');
    await ledger.stop();
    const { entries: written } = await storedEntries(store.raw);
    await store.close();
    const again = await readRecording(own);
    await close();
    const raised = raisedAlerts(topicOf('custody.alerts', again).partitions);
    expect(firstDifference(alerts, raised)).toBeUndefined();
    expect(
      firstDifference(apartFromTopic(entries, recording), apartFromTopic(written, again)),
    ).toBeUndefined();
  });

  it('appended later, the records of senders whose clocks are right raise the same alerts', async () => {
    verifies('P5');
    const { log: own, close } = await appendAgain('later', systemClock, () => undefined);
    await detectAll(own);
    const raised = raisedAlerts(topicOf('custody.alerts', await readRecording(own)).partitions);
    await close();
    // Other times than the sender's follow the append time: those of clocks ahead, and those of long ago.
    const ofRightClocks = (placed: readonly Placed[]) =>
      placed.filter(({ place }) => !/^tenant (clock-ahead|tenant-)/.test(place));
    expect(ofRightClocks(alerts).length).toBeGreaterThan(40);
    expect(firstDifference(bodies(ofRightClocks(alerts)), bodies(ofRightClocks(raised)))).toBeUndefined();
  });
});

async function detectAll(own: Log): Promise<void> {
  const detect = detectStage({
    events: own.topic('custody.events'),
    alerts: own.topic('custody.alerts'),
    log: own,
  });
  await detect.start();
  await handled(own, 'custody.events', 'detect');
  await detect.stop();
}

/** A fresh embedded log with the recorded events and unusable input, appended by key in their order. */
async function appendAgain(
  name: string,
  clock: Clock,
  setTime: (ms: number) => void,
): Promise<{ log: Log; close: () => Promise<void> }> {
  const own = await openEmbeddedLog({
    directory: join(directory, name),
    config: logConfig({ partitions: PARTITIONS }),
    clock,
  });
  for (const topic of ['custody.events', 'custody.deadletter'] as const) {
    for (const [partition, records] of topicOf(topic).partitions.entries()) {
      for (let at = 0; at < records.length;) {
        const appendTimeMs = records[at]?.appendTimeMs ?? 0;
        const next = records.findIndex((record, index) => index > at && record.appendTimeMs !== appendTimeMs);
        const run = records.slice(at, next === -1 ? records.length : next);
        setTime(appendTimeMs);
        const places = await own.topic(topic).append(run.map(({ key, value }) => ({ key, value })));
        // The key decides the partition, and it is the one Kafka has it in. Offsets differ: Kafka's hold marks of transactions.
        expect(places.map((place) => place.partition)).toEqual(run.map(() => partition));
        at += run.length;
      }
    }
  }
  return { log: own, close: () => own.close() };
}

/**
 * Entries without what follows from the id of their topic: the log id, the hashes over it, and the id in the first entry.
 * Alerts also without their places, for the fleet appends them in transactions and later.
 */
function apartFromTopic(placed: readonly Placed[], of: Recording): Placed[] {
  const ids = [...of].map(([name, { topicId }]) => [name, topicId] as const);
  const without = (text: string) => ids.reduce((rest, [name, id]) => rest.replaceAll(id, name), text);
  return placed
    .map(({ place, columns: { body = '', body_sha: sha = '', ...columns } }) => ({
      place: without(place),
      columns: {
        ...(columns['topic'] === 'custody.alerts'
          ? { topic: columns['topic'], kpart: columns['kpart'] ?? '' }
          : { ...columns, prev: '', leaf: '', koffset: '' }),
        body: columns['kind'] === 'control' ? without(Buffer.from(body as string).toString()) : body,
        body_sha: columns['kind'] === 'control' ? '' : sha,
      },
    }))
    .map((entry) => ({ ...entry, sortKey: entry.place.replace(/(\d+)$/, (seq) => seq.padStart(12, '0')) }))
    .sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1))
    .map(({ place, columns }) => ({ place, columns }));
}

describe('the commands, over the store of the fleet', () => {
  it('custody replay --diff finds no other alert', async () => {
    verifies('P5');
    const { code, stdout, stderr } = await fleet.cli('replay', '--diff');
    expect(`${stderr}${stdout}`).not.toContain('error');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    // The records of rules in force are no events of anybody: one for each partition.
    const played = countOf('custody.events') - PARTITIONS;
    expect(stderr).toContain(`replayed ${played} events, ${alerts.length} alerts`);
  });

  it('custody verify --rebuild says valid', async () => {
    verifies('P3');
    const { code, stdout } = await fleet.cli('verify', '--rebuild', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'valid', findings: [], checks_not_done: [] });
    expect(code).toBe(0);
  });
});
