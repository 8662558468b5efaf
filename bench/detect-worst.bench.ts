// The largest that one session and one tenant get in the engine under a flood: every name, value, destination, actor and
// digest is new and as long as the schema allows. Bytes of the snapshot, and of the heap, against the goals.
// usage: as bench/detect.bench.ts, with [events=60000] [calls of a session=400] [keep|print]
import { createEngine } from '../detectors/engine/engine.ts';
import { policyEvent } from '../pipeline/partition-policies.ts';
import { policyDocumentOf } from '../pipeline/policy-source.ts';
import { readRuleFiles } from '../pipeline/rule-files.ts';
import { configSchema } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { encodeTokens } from '../schemas/token-set.ts';
import { report } from './machine.ts';
import { eventAt, toolRegistry } from './tool-calls.ts';

const [eventCount = 60_000, callsOfSession = 400] = process.argv.slice(2, 4).map(Number);
const collect = globalThis.gc;
if (collect === undefined) throw new Error('run with --expose-gc');
const startMs = 1_767_600_000_000;

/** A name nobody has had, 200 characters long. */
const name = (kind: string, index: number) => `${kind}-${index}-`.padEnd(200, 'x');
const tokensAt = (index: number) =>
  encodeTokens(Array.from({ length: 64 }, (_, at) => (index * 64 + at) * 2_654_435_761));

function hostileEvent(index: number): CustodyEvent {
  const session = Math.floor(index / callsOfSession);
  const event = eventAt(index, { tenants: 1, sessions: eventCount });
  const destinations = Array.from({ length: 8 }, (_, at) => `${name('host', index * 8 + at)}.example`);
  return {
    ...event,
    time_unix_nano: `${startMs + index * 1000}000000`,
    observed_time_unix_nano: `${startMs + index * 1000}000000`,
    source: {
      ...event.source,
      dialect: `dialect-${index % 1000}`,
      vantage: index % 2 === 0 ? 'client' : 'agent',
    },
    actor: { id: name('actor', index), type: 'agent', user_id: name('user', index) },
    client: { name: name('client', index) },
    server: { name: name('server', index) },
    tool: { ...event.tool, name: name('tool', index), action: 'egress' },
    session: { key: `s-${session}`, source: 'conversation_id', confidence: 'high' },
    trace: { ...event.trace, trace_id: event.event_id.replaceAll('-', '').slice(0, 32) },
    scope: {
      grants: [name('grant', index), name('grant', -index)],
      ttl_sec: 900,
      token_digest: event.event_id,
    },
    intent: { tokens: tokensAt(index) },
    arguments: {
      ...event.arguments,
      keys: [name('key', index), name('key', -index)],
      values: destinations.map((_, at) => ({
        path: name('path', index * 8 + at),
        hash: event.event_id.replaceAll('-', '').slice(at, at + 13),
        size_bytes: 64,
        tokens: tokensAt(index + at),
      })),
      findings: { [`secret_${index % 500}`]: 1 },
    },
    result: {
      ...event.result,
      category: index % 3 === 0 ? 'error' : 'ok',
      tokens: tokensAt(-index),
      findings: { email: 2 },
    },
    destinations,
  };
}

const engine = createEngine(configSchema.parse({}).detect);
for (const document of [
  policyDocumentOf('registry', toolRegistry),
  policyDocumentOf('rules', readRuleFiles(['rules']).document),
])
  engine.process({ event: policyEvent('custody-control.0', document, 1), appendTimeMs: startMs });

const heapBytes = () => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

const largest = { session: 0, tenant: 0 };
const empty = heapBytes();
let alerts = 0;
for (let index = 0; index < eventCount; index += 1) {
  const event = hostileEvent(index);
  alerts += engine.process({ event, appendTimeMs: startMs + index * 1000 }).length;
  if (index % 5000 !== 4999) continue;
  for (const { name: piece, value } of engine.snapshot())
    for (const kind of ['session', 'tenant'] as const)
      if (piece.startsWith(`${kind}/`)) largest[kind] = Math.max(largest[kind], value?.length ?? 0);
}
const { sessions, heldSessions } = engine.stats();
const result = {
  events: eventCount,
  calls_of_a_session: callsOfSession,
  alerts,
  open_sessions: sessions,
  held_sessions: heldSessions,
  largest_session_snapshot_bytes: largest.session,
  largest_tenant_snapshot_bytes: largest.tenant,
  heap_bytes_of_all: heapBytes() - empty,
};
if (process.argv[4] === 'keep')
  report('detect-worst', 'built with esbuild; every name and value new, one tenant', result);
else process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
