// The engine with every detector, the shipped rules and a registry in force: CPU time per event (all threads, garbage
// collection of state and events included), what each detector takes of it, and memory per open session and per tenant.
// Measure built code: tsx wraps every inner function, which costs a third.
// usage: npx esbuild bench/detect.bench.ts --bundle --platform=node --format=esm --packages=external --outfile=bench/.out.mjs
//        && node --expose-gc bench/.out.mjs [sessions=10000] [events=300000] [keep|print]
//        from the root of the project; the table by detector is wall time, so it says something on a quiet machine only
import type { Engine } from '../detectors/engine/contract.ts';
import { createEngine } from '../detectors/engine/engine.ts';
import type { Detector } from '../detectors/detector.ts';
import { policyDocumentOf } from '../pipeline/policy-source.ts';
import { policyEvent } from '../pipeline/partition-policies.ts';
import { readRuleFiles } from '../pipeline/rule-files.ts';
import { configSchema } from '../schemas/config.ts';
import { report } from './machine.ts';
import { callsPerSession, eventAt, toolRegistry } from './tool-calls.ts';

const [openSessions = 10_000, eventCount = 300_000] = process.argv.slice(2, 4).map(Number);
const tenants = 1000;
const chunk = 1000;
const shape = { tenants, sessions: openSessions };
const collect = globalThis.gc;
if (collect === undefined) throw new Error('run with --expose-gc');
const config = configSchema.parse({
  detect: { sessions_max: openSessions, tenants_max: 2 * tenants },
}).detect;
const inForce = [
  policyDocumentOf('registry', toolRegistry),
  policyDocumentOf('rules', readRuleFiles(['rules']).document),
].map((document) => policyEvent('custody-control.0', document, 1));

function newEngine(wrap?: (detector: Detector) => Detector): Engine {
  const engine = createEngine(config, wrap === undefined ? {} : { wrap });
  for (const event of inForce) engine.process({ event, appendTimeMs: 1_767_600_000_000 });
  return engine;
}

function heapBytes(): number {
  collect?.();
  collect?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

/** Processes events of the shape and gives CPU microseconds; making them is not counted. */
function play(
  engine: Engine,
  from: number,
  to: number,
): { readonly cpuMicros: number; readonly alerts: number } {
  let alerts = 0;
  let cpuMicros = 0;
  for (let at = from; at < to; at += chunk) {
    const events = Array.from({ length: Math.min(chunk, to - at) }, (_, index) => eventAt(at + index, shape));
    const began = process.cpuUsage();
    for (const event of events)
      alerts += engine.process({ event, appendTimeMs: Number(event.time_unix_nano.slice(0, -6)) }).length;
    const { user, system } = process.cpuUsage(began);
    cpuMicros += user + system;
    // What a worker does every few seconds; without it the list of changes would only grow.
    if (at % 100_000 === 0) takeSnapshot(engine);
  }
  return { cpuMicros, alerts };
}

/** As a worker does every few seconds. */
function takeSnapshot(engine: Engine): number {
  return [...engine.snapshot()].length;
}

/** Every open session has had all of its calls. */
const warm = openSessions * callsPerSession;

function whole() {
  const empty = heapBytes();
  const engine = newEngine();
  play(engine, 0, warm);
  const { cpuMicros, alerts } = play(engine, warm, warm + eventCount);
  takeSnapshot(engine);
  play(engine, warm + eventCount, warm + eventCount + openSessions);
  const began = performance.now();
  const bytes = { session: 0, tenant: 0 };
  for (const { name, value } of engine.snapshot()) {
    if (name.startsWith('session/')) bytes.session += value?.length ?? 0;
    if (name.startsWith('tenant/')) bytes.tenant += value?.length ?? 0;
  }
  const snapshotMs = performance.now() - began;
  const { sessions } = engine.stats();
  const held = heapBytes();
  closeAll(engine, warm + eventCount);
  takeSnapshot(engine);
  const left = heapBytes();
  return {
    events: eventCount,
    cpu_us_per_event: Number((cpuMicros / eventCount).toFixed(1)),
    events_per_cpu_second: Math.round((eventCount / cpuMicros) * 1e6),
    alerts,
    sessions,
    heap_bytes_per_session: Math.round((held - left) / sessions),
    heap_bytes_per_tenant: Math.round((left - empty) / tenants),
    snapshot_bytes_per_session: Math.round(bytes.session / sessions),
    snapshot_bytes_per_tenant: Math.round(bytes.tenant / tenants),
    snapshot_of_all_ms: Math.round(snapshotMs),
  };
}

/** Ends every open session: what is left on the heap is the tenants'. */
function closeAll(engine: Engine, from: number): void {
  for (let index = 0; index < openSessions; index += 1) {
    const event = eventAt(from + index, shape);
    const end = {
      ...event,
      kind: 'session',
      session: { ...event.session, transition: 'end' },
    } as typeof event;
    engine.process({
      event: { ...end, event_id: `${event.event_id.slice(0, -1)}x` },
      appendTimeMs: 1_767_700_000_000,
    });
  }
}

/** Wall time in each detector's `step`, the clock's own taken off. */
function byDetector(): Record<string, number> {
  const spent = new Map<string, number>();
  const engine = newEngine((detector) => ({
    ...detector,
    step(event, state, raise) {
      const began = performance.now();
      detector.step(event, state, raise);
      spent.set(detector.id, (spent.get(detector.id) ?? 0) + performance.now() - began);
    },
  }));
  play(engine, 0, warm);
  spent.clear();
  play(engine, warm, warm + eventCount);
  const clock = clockMs();
  return Object.fromEntries(
    [...spent]
      .map(([id, ms]): [string, number] => [
        id,
        Number(Math.max(0, (ms / eventCount - clock) * 1000).toFixed(2)),
      ])
      .sort(([, a], [, b]) => b - a),
  );
}

function clockMs(): number {
  const began = performance.now();
  let sum = 0;
  for (let index = 0; index < 100_000; index += 1) sum -= performance.now() - performance.now();
  return sum / 100_000 + 0 * began;
}

const result = { tenants, open_sessions: openSessions, ...whole(), us_per_event_by_detector: byDetector() };
if (process.argv[4] === 'keep')
  report(
    'detect',
    `built with esbuild; ${eventCount} tool calls after every open session has had eight`,
    result,
  );
else process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
