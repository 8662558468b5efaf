/**
 * Engine with the four detectors, with 1,000 tenants and 10,000 open sessions: events per second of CPU time (all
 * threads, garbage collection of state and events included), and memory per session. Prints one JSON line. Build
 * before measuring: tsx wraps every inner function, which costs a third.
 * usage: node --expose-gc --import tsx bench/detect.bench.ts [events]
 */
import { createHash } from 'node:crypto';
import { createEngine } from '../detectors/engine.ts';
import { configSchema } from '../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';

const tenants = 1000;
const openSessions = 10_000;
const callsPerSession = 8;
const eventCount = Number(process.argv[2] ?? 400_000);
const hex = (text: string) => createHash('sha256').update(text).digest('hex');
const digests = Array.from({ length: 4096 }, (_, index) => hex(`digest ${index}`));
const tools = [
  'get_ticket',
  'search_docs',
  'list_files',
  'read_file',
  'send_reply',
  'write_note',
  'create_event',
  'fetch_page',
];
const actions = ['read', 'read', 'read', 'read', 'egress', 'write', 'write', 'egress'] as const;

/** Eight calls of a session in the usual order, sessions of all tenants interleaved, ever new sessions. */
function eventAt(index: number): CustodyEvent {
  const slot = index % openSessions;
  const round = Math.floor(index / openSessions);
  const session = `${slot}-${Math.floor(round / callsPerSession)}`;
  const step = (round + slot) % callsPerSession;
  const id = hex(`event ${index}`);
  const time = `${1_767_600_000_000 + index}000000`;
  const digest = (salt: number) => digests[(index * 31 + salt) % digests.length] ?? '';
  return {
    schema: EVENT_SCHEMA,
    event_id: `${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(13, 16)}-a${id.slice(17, 20)}-${id.slice(20, 32)}`,
    kind: 'tool_call',
    phase: 'complete',
    tenant: `tenant-${slot % tenants}`,
    time_unix_nano: time,
    observed_time_unix_nano: time,
    source: { collector: 'otlp_grpc', signal: 'span', dialect: 'bench', vantage: 'client' },
    trace: {
      trace_id: hex(session).slice(0, 32),
      span_id: id.slice(0, 16),
      parent_span_id: id.slice(16, 32),
    },
    actor: { id: `agent-${slot % 50}`, type: 'agent' },
    server: { name: `server-${step % 3}` },
    tool: { name: tools[step] ?? '', call_id: id.slice(0, 12), action: actions[step] ?? 'read' },
    session: { key: session, source: 'conversation_id', confidence: 'high' },
    arguments: { digest: digest(1), size_bytes: 100 + ((index * 7919) % 700) },
    result: { digest: digest(2), size_bytes: 300 + ((index * 104_729) % 3000), category: 'ok' },
    policy: { decision: 'allow' },
    scope: { grants: ['read:tickets', 'write:tickets'], ttl_sec: 600 },
    ...(actions[step] === 'egress' ? { destinations: [`host-${index % 7}.example`] } : {}),
  };
}

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
  const events = Array.from({ length: chunk }, (_, index) => eventAt(from + index));
  const started = process.cpuUsage();
  for (const event of events)
    alerts += engine.process({ event, appendTimeMs: Number(event.time_unix_nano.slice(0, -6)) }).length;
  if (from % 100_000 === 0) engine.snapshot();
  if (from < openSessions * callsPerSession) continue;
  const { user, system } = process.cpuUsage(started);
  busyMs += (user + system) / 1000;
  measured += chunk;
}
engine.snapshot();
for (let index = 0; index < openSessions; index += 1) {
  const event = eventAt(eventCount + index);
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
