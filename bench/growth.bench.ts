// How cost grows: detection by tenants and by open sessions (CPU time of the engine with its four detectors, memory per
// tenant and per session), the log by partitions (append, and a worker that consumes all of them). Draws
// bench/results/growth.svg.
// usage: npm run build && node --expose-gc --import tsx bench/growth.bench.ts [events=200000] [records=60000]
import { writeFileSync } from 'node:fs';
import { createEngine } from '../detectors/engine.ts';
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
