/**
 * Engine with the four detectors, with 1,000 tenants and 10,000 open sessions: events per second of CPU time (all
 * threads, garbage collection of state and events included), and memory per session. Prints one JSON line. Build
 * before measuring: tsx wraps every inner function, which costs a third.
 * usage: node --expose-gc --import tsx bench/detect.bench.ts [events]
 */
import { createEngine } from '../detectors/engine/engine.ts';
import { configSchema } from '../schemas/config.ts';
import { callsPerSession, eventAt } from './tool-calls.ts';

const tenants = 1000;
const openSessions = 10_000;
const eventCount = Number(process.argv[2] ?? 400_000);
const shape = { tenants, sessions: openSessions };

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

const chunk = 1000;
const before = heapBytes();
const engine = createEngine(configSchema.parse({ detect: { sessions_max: openSessions } }).detect);
let alerts = 0;
let busyMs = 0;
let measured = 0;
let snapshotBytes = 0;
for (let from = 0; from < eventCount; from += chunk) {
  const events = Array.from({ length: chunk }, (_, index) => eventAt(from + index, shape));
  const started = process.cpuUsage();
  for (const event of events)
    alerts += engine.process({ event, appendTimeMs: Number(event.time_unix_nano.slice(0, -6)) }).length;
  if (from % 100_000 === 0) Array.from(engine.snapshot());
  if (from < openSessions * callsPerSession) continue;
  const { user, system } = process.cpuUsage(started);
  busyMs += (user + system) / 1000;
  measured += chunk;
}
Array.from(engine.snapshot());
for (let index = 0; index < openSessions; index += 1) {
  const event = eventAt(eventCount + index, shape);
  engine.process({ event, appendTimeMs: Number(event.time_unix_nano.slice(0, -6)) });
}
const snapshotStartedMs = performance.now();
for (const { value } of engine.snapshot()) snapshotBytes += value?.length ?? 0;
const snapshotMs = performance.now() - snapshotStartedMs;
const stats = engine.stats();
const heldBytes = heapBytes() - before;
console.log(
  JSON.stringify({
    events: measured,
    eventsPerSecond: Math.round((measured / busyMs) * 1000),
    microsecondsPerEvent: Number(((busyMs * 1000) / measured).toFixed(2)),
    alerts,
    tenants: stats.tenants,
    sessions: stats.sessions,
    heldMiB: Math.round(heldBytes / 1024 / 1024),
    heldBytesPerSession: Math.round(heldBytes / stats.sessions),
    snapshotOfAllMs: Math.round(snapshotMs),
    snapshotOfAllMiB: Math.round(snapshotBytes / 1024 / 1024),
  }),
);
