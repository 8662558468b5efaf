import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createEngine } from '../../detectors/engine/engine.ts';
import { TransientError } from '../../runtime/errors.ts';
import { configSchema } from '../../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import { TOPIC_NAMES, type ConsumedRecord, type Log, type TopicName } from '../../streams/topic.ts';
import { kafkaConfig } from '../streams/kafka-harness.ts';
import type { Fleet } from '../support/fleet.ts';
import type { Seen, SeenEntry, SeenRecord } from './check.ts';
import type { Sent } from './generator.ts';

/** The consumer groups of a fleet with the default sink, in the order in which work goes through them. */
const READERS: readonly (readonly [string, TopicName])[] = [
  ['detect', 'custody.events'],
  ['ledger', 'custody.events'],
  ['ledger', 'custody.alerts'],
  ['sink.ocsf', 'custody.alerts'],
  ['ledger', 'custody.deadletter'],
];
const ENTRIES = `SELECT log, tenant, toString(seq) AS seq, lower(hex(leaf)) AS leaf, lower(hex(prev)) AS prev, topic, kpart AS partition, toString(koffset) AS offset, kind, idempotency_key AS mark, alert_id AS alertId, actor_id AS actor FROM custody.entries FORMAT JSONEachRow`;

/** Opens the fleet's log beside it, over listeners that no fault touches. */
export function openLogOf({ kafka, env }: Fleet): Promise<Log> {
  const config = kafkaConfig(kafka.internalBootstrap, {
    namespace: env['CUSTODY_LOG_NAMESPACE'] ?? '',
    partitions: Number(env['CUSTODY_LOG_PARTITIONS']),
    replication_factor: Number(env['CUSTODY_LOG_REPLICATION_FACTOR']),
  });
  return openKafkaLog({ config, credentials: { password: undefined } });
}

/** Resolves when every group has handled every record; rejects after the deadline with what is left. */
export async function untilCaughtUp(log: Log, deadlineMs: number): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (let still = 0; still < 2;) {
    // A broker that just came back still loads what it coordinates.
    const behind = await lagging(log).catch((error: unknown) => {
      if (error instanceof TransientError) return [error.message];
      throw error;
    });
    still = behind.length === 0 ? still + 1 : 0;
    if (performance.now() > end) throw new Error(`still behind after ${deadlineMs} ms: ${behind.join(', ')}`);
    await pause(300);
  }
}

async function lagging(log: Log): Promise<string[]> {
  const behind: string[] = [];
  for (const [group, name] of READERS) {
    const topic = log.topic(name);
    for (let partition = 0; partition < topic.partitions; partition += 1) {
      const { start, end } = await topic.bounds(partition);
      const committed = (await topic.committed(group, partition)) ?? start;
      if (committed < end) behind.push(`${group} ${name}/${partition} at ${committed} of ${end}`);
    }
  }
  return behind;
}

/** Everything the check looks at, read from a fleet at rest. */
export async function observe(fleet: Fleet, log: Log, sent: Sent): Promise<Seen> {
  const records: SeenRecord[] = [];
  const calmAlertIds: string[] = [];
  const calmAlertIdsOnce: string[] = [];
  for (const name of TOPIC_NAMES) {
    const topic = log.topic(name);
    for (let partition = 0; partition < topic.partitions; partition += 1) {
      const calm = calmRun();
      const once = calmRun();
      const marks = new Set<string>();
      for await (const record of topic.read(partition, 0n)) {
        const seen = seenRecord(name, record);
        records.push(seen);
        if (name !== 'custody.events') continue;
        calmAlertIds.push(...calm(record));
        if (!marks.has(seen.mark ?? '')) calmAlertIdsOnce.push(...once(record));
        marks.add(seen.mark ?? '');
      }
    }
  }
  const [entries, deliveredIds, verification] = await Promise.all([
    readEntries(fleet),
    readDelivered(fleet),
    verify(fleet),
  ]);
  return { sent, records, entries, calmAlertIds, calmAlertIdsOnce, deliveredIds, verification };
}

function seenRecord(topic: TopicName, record: ConsumedRecord): SeenRecord {
  const body = parse(record.value) as { idempotency_key?: string; alert_id?: string } | undefined;
  return {
    topic,
    partition: record.partition,
    offset: String(record.offset),
    mark: body?.idempotency_key,
    alertId: body?.alert_id,
  };
}

/** The detectors as a test of a rule runs them: no restart, no rebalance, no snapshot. */
function calmRun(): (record: ConsumedRecord) => string[] {
  const engine = createEngine(configSchema.parse({}).detect);
  return (record) => {
    const event = parse(record.value) as CustodyEvent | undefined;
    if ((event as { schema?: string } | undefined)?.schema !== EVENT_SCHEMA) return [];
    if (event === undefined) return [];
    return engine.process({ event, appendTimeMs: record.appendTimeMs }).map((alert) => alert.alert_id);
  };
}

function parse(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value).toString());
  } catch {
    return undefined;
  }
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Straight from the store: no code of the product in between. */
async function readEntries({ clickhouse }: Fleet): Promise<SeenEntry[]> {
  const response = await fetch(clickhouse.url, {
    method: 'POST',
    headers: { 'x-clickhouse-user': clickhouse.username, 'x-clickhouse-key': clickhouse.password },
    body: ENTRIES,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`cannot read the ledger: ${text.slice(0, 500)}`);
  return lines(text).map((line) => JSON.parse(line) as SeenEntry);
}

async function readDelivered({ env }: Fleet): Promise<string[]> {
  const text = await readFile(join(env['CUSTODY_DATA_DIR'] ?? '', 'alerts', 'ocsf.ocsf.ndjson'), 'utf8');
  return lines(text).map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid);
}

async function verify(fleet: Fleet): Promise<Seen['verification']> {
  const { code, stdout, stderr } = await fleet.cli('verify', '--json');
  const report = parse(Buffer.from(stdout)) as
    { verdict: string; duplicates: number; findings: unknown[]; checks_not_done: string[] } | undefined;
  if (report === undefined) throw new Error(`custody verify ended with ${String(code)}: ${stderr}`);
  const { verdict, duplicates, findings, checks_not_done: checksNotDone } = report;
  return { code, verdict, duplicates, findings, checksNotDone };
}
