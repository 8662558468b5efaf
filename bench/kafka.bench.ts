// The stages on Kafka, each alone, with broker, workers and store on this machine: records appended, spans accepted by a
// collector, events detected, entries in the ledger.
// usage: npm run build && node --import tsx bench/kafka.bench.ts [records=200000] [seconds=20] [partitions=4]
import { Agent, request } from 'node:http';
import { startFleet, type Fleet, type RoleProcess } from '../test/support/fleet.ts';
import type { Role } from '../pipeline/roles.ts';
import { configOf, fill, openBenchLog } from './kafka-load.ts';
import { recordAt, type Shape } from './tool-calls.ts';
import { cpuSeconds, report, residentMiB } from './machine.ts';
import { createLoadRequest } from './otlp-load.ts';

const [records = 200_000, seconds = 20, partitions = 4] = process.argv.slice(2).map(Number);
const shape: Shape = { tenants: 100, sessions: 5_000 };
const round = (value: number) => Math.round(value);
const micros = (cpuS: number, count: number) => Math.round((cpuS / count) * 1e7) / 10;

const fleet = await startFleet({
  partitions,
  env: {
    CUSTODY_LOG_LEVEL: 'error',
    CUSTODY_DETECT_SNAPSHOT_INTERVAL_MS: '5000',
    CUSTODY_LEDGER_LINGER_MS: '200',
  },
});
const broker = () => fleet.kafka.brokers[0]?.pid ?? 0;

async function appendAlone() {
  const log = await openBenchLog(configOf(fleet.env));
  await fill(log, 20_000, shape);
  const before = { own: process.cpuUsage(), broker: cpuSeconds(broker()) };
  const took = await fill(log, records, shape);
  const own = process.cpuUsage(before.own);
  await log.close();
  return {
    records_per_second: round(records / took),
    body_bytes: recordAt(1, shape).value.length,
    cpu_us_per_record: micros((own.user + own.system) / 1e6, records),
    broker_cpu_us_per_record: micros(cpuSeconds(broker()) - before.broker, records),
  };
}

async function metric(process: RoleProcess, name: string): Promise<number> {
  const text = await (await fetch(`${process.admin}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  return values.reduce((sum, value) => sum + value, 0);
}

/** Fills topics of its own, starts workers of a role over them, and measures from one tenth to nine tenths. */
async function drain(role: Role, workers: number, counter: string) {
  const env = { CUSTODY_LOG_NAMESPACE: `bench-${role}-${workers}` };
  const log = await openBenchLog(configOf({ ...fleet.env, ...env }));
  await fill(log, records, shape);
  await log.close();
  const processes = await Promise.all(Array.from({ length: workers }, () => fleet.start(role, env)));
  const now = async () => {
    const counts = await Promise.all(processes.map((each) => metric(each, counter)));
    const cpu = processes.reduce((sum, { child }) => sum + cpuSeconds(child.pid ?? 0), 0);
    return { count: counts.reduce((sum, count) => sum + count, 0), at: performance.now(), cpu };
  };
  const samples = [await now()];
  while ((samples.at(-1)?.count ?? 0) < records) {
    // Seldom: every look at the metrics asks the brokers for the lag.
    await new Promise((resolve) => setTimeout(resolve, 500));
    samples.push(await now());
  }
  const rss = processes.reduce((sum, { child }) => sum + residentMiB(child.pid ?? 0), 0);
  await Promise.all(processes.map((each) => each.stop()));
  const from = samples.find(({ count }) => count > records * 0.1) ?? samples[0];
  const to = samples.findLast(({ count }) => count < records) ?? samples.at(-1);
  if (from === undefined || to === undefined || from === to) throw new Error('too few records to measure');
  const count = to.count - from.count;
  return {
    workers,
    per_second: round((count / (to.at - from.at)) * 1000),
    cpu_us_each: micros(to.cpu - from.cpu, count),
    rss_mib: rss,
  };
}

function post(url: URL, agent: Agent, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length };
    const outgoing = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function collect(collectors: number) {
  const processes = await Promise.all(Array.from({ length: collectors }, () => fleet.start('collector')));
  const agent = new Agent({ keepAlive: true });
  let accepted = 0;
  let refused = 0;
  const cpu = () => processes.reduce((sum, { child }) => sum + cpuSeconds(child.pid ?? 0), 0);
  const cpuBefore = cpu();
  const began = performance.now();
  const deadline = began + seconds * 1000;
  await Promise.all(
    Array.from({ length: 4 * collectors }, async (_, worker) => {
      const url = new URL('/v1/traces', processes[worker % collectors]?.http);
      const load = createLoadRequest(500, worker);
      while (performance.now() < deadline) {
        if ((await post(url, agent, load.next(Date.now()))) === 200) accepted += 500;
        else refused += 1;
      }
    }),
  );
  const took = (performance.now() - began) / 1000;
  const result = {
    collectors,
    spans_per_second: round(accepted / took),
    cpu_us_per_span: micros(cpu() - cpuBefore, accepted),
    refused_requests: refused,
    rss_mib: processes.reduce((sum, { child }) => sum + residentMiB(child.pid ?? 0), 0),
  };
  agent.destroy();
  await Promise.all(processes.map((each) => each.stop()));
  return result;
}

async function measure(of: Fleet) {
  const append = await appendAlone();
  const detect = [
    await drain('detect', 1, 'custody_detect_events_total'),
    await drain('detect', 2, 'custody_detect_events_total'),
  ];
  const ledger = [
    await drain('ledger', 1, 'custody_ledger_entries_total'),
    await drain('ledger', 2, 'custody_ledger_entries_total'),
  ];
  const collectorRuns = [await collect(1), await collect(2)];
  return {
    kafka: of.kafka.version,
    store: of.clickhouse.description,
    partitions,
    append,
    detect,
    ledger,
    collect: collectorRuns,
  };
}

try {
  const result = await measure(fleet);
  report(
    'kafka',
    'one broker, workers and store on the same two cores; each stage alone over a topic that is full',
    result,
  );
} finally {
  await fleet.stop();
}
