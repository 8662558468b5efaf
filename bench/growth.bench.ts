// How cost grows: detection by tenants and by open sessions (CPU time of the engine with its four detectors, memory per
// tenant and per session), the log by partitions (append, and a worker that consumes all of them). Draws
// bench/results/growth.svg.
// usage: npm run build && node --expose-gc --import tsx bench/growth.bench.ts [events=200000] [records=60000]
import { writeFileSync } from 'node:fs';
import { createEngine } from '../detectors/engine/engine.ts';
import { configSchema } from '../schemas/config.ts';
import { kafkaConfig } from '../test/streams/kafka-harness.ts';
import { findBroker } from '../test/support/kafka/find-broker.ts';
import { openKafkaLog } from '../streams/kafka/open-log.ts';
import { fill } from './kafka-load.ts';
import { eventAt, type Shape } from './tool-calls.ts';
import { report } from './machine.ts';
import { svg } from './plot.ts';

const [events = 200_000, records = 60_000] = process.argv.slice(2).map(Number);
const detect = configSchema.parse({ detect: { sessions_max: 200_000, tenants_max: 20_000 } }).detect;
const cpuMicros = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const collect = globalThis.gc;
if (collect === undefined) throw new Error('run with --expose-gc');
const heapBytes = () => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};
const round = (value: number, digits = 1) => Number(value.toFixed(digits));

/** Everything open at once first, then as many events again, which are measured. */
function detection(shape: Shape) {
  const heapBefore = heapBytes();
  const engine = createEngine(detect);
  const warm = Math.max(shape.sessions * 3, 20_000);
  let index = 0;
  for (; index < warm; index += 1)
    engine.process({ event: eventAt(index, shape), appendTimeMs: 1_767_600_000_000 + index });
  const heap = heapBytes() - heapBefore;
  const made = Array.from({ length: events }, (_, at) => eventAt(index + at, shape));
  const began = cpuMicros();
  for (const [at, event] of made.entries())
    engine.process({ event, appendTimeMs: 1_767_600_000_000 + index + at });
  const cpu = cpuMicros() - began;
  return { ...shape, cpu_us_per_event: round(cpu / events), heap_bytes: heap };
}

async function partitionCost(brokers: readonly string[], partitions: number) {
  const config = kafkaConfig(brokers, { partitions });
  const log = await openKafkaLog({ config, credentials: { password: undefined } });
  const shape: Shape = { tenants: 500, sessions: 5_000 };
  await fill(log, 5_000, shape);
  const appendBegan = cpuMicros();
  const appendSeconds = await fill(log, records, shape);
  const appendCpu = cpuMicros() - appendBegan;
  const stop = new AbortController();
  let seen = 0;
  const consumeBegan = { cpu: cpuMicros(), at: performance.now() };
  await log.topic('custody.events').consume({
    group: 'bench',
    signal: stop.signal,
    handle: ({ records: batch }) => {
      seen += batch.length;
      if (seen >= records + 5_000) stop.abort();
      return Promise.resolve();
    },
  });
  const consumeCpu = cpuMicros() - consumeBegan.cpu;
  const consumeSeconds = (performance.now() - consumeBegan.at) / 1000;
  await log.close();
  return {
    partitions,
    append_cpu_us: round(appendCpu / records),
    append_per_second: Math.round(records / appendSeconds),
    consume_cpu_us: round(consumeCpu / seen),
    consume_per_second: Math.round(seen / consumeSeconds),
  };
}

detection({ tenants: 10, sessions: 100 }); // compiles
const byTenants = [1, 10, 100, 1_000, 10_000].map((tenants) => detection({ tenants, sessions: 10_000 }));
const bySessions = [100, 1_000, 10_000, 100_000].map((sessions) => detection({ tenants: 100, sessions }));
const broker = await findBroker();
const byPartitions = [];
for (const partitions of [1, 4, 16, 64]) byPartitions.push(await partitionCost(broker.bootstrap, partitions));
await broker.stop();

const slope = (key: 'tenants' | 'sessions', of: readonly ReturnType<typeof detection>[]) => {
  const [a, b] = [of.at(-2), of.at(-1)];
  return a === undefined || b === undefined
    ? 0
    : Math.round((b.heap_bytes - a.heap_bytes) / (b[key] - a[key]));
};
// A single heap is blurred by what an earlier engine left; the difference of two large ones is not.
const shown = ({ tenants, sessions, cpu_us_per_event }: ReturnType<typeof detection>) => ({
  tenants,
  sessions,
  cpu_us_per_event,
});
report(
  'growth',
  `CPU time, garbage collection included, over ${events} events after every session has had three; memory: heap after collection; Kafka: one process, one broker, ${records} records of about 1 kB`,
  {
    by_tenants_of_10000_sessions: byTenants.map(shown),
    by_sessions_of_100_tenants: bySessions.map(shown),
    by_partitions: byPartitions,
    heap_bytes_per_tenant: slope('tenants', byTenants),
    heap_bytes_per_session: slope('sessions', bySessions),
  },
);
writeFileSync(
  new URL('./results/growth.svg', import.meta.url),
  svg([
    {
      title: 'Detection by tenants',
      xLabel: 'tenants, 10,000 open sessions',
      yLabel: 'µs of CPU per event',
      series: [
        {
          label: 'engine and four detectors',
          points: byTenants.map((each) => [each.tenants, each.cpu_us_per_event]),
        },
      ],
    },
    {
      title: 'Detection by open sessions',
      xLabel: 'open sessions, 100 tenants',
      yLabel: 'µs of CPU per event',
      series: [
        {
          label: 'engine and four detectors',
          points: bySessions.map((each) => [each.sessions, each.cpu_us_per_event]),
        },
      ],
    },
    {
      title: 'Kafka by partitions',
      xLabel: 'partitions',
      yLabel: 'µs of CPU per record',
      series: [
        { label: 'append', points: byPartitions.map((each) => [each.partitions, each.append_cpu_us]) },
        { label: 'consume', points: byPartitions.map((each) => [each.partitions, each.consume_cpu_us]) },
      ],
    },
  ]),
);
