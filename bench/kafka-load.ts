import { createHash } from 'node:crypto';
import { openKafkaLog } from '../streams/kafka/open-log.ts';
import type { Log, TopicRecord } from '../streams/topic.ts';
import { configSchema, type Config } from '../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';
import { encodeEvent } from '../collectors/normalize/encode.ts';
import { applyEnvironment } from '../cli/environment.ts';

const hex = (text: string) => createHash('sha256').update(text).digest('hex');
const digests = Array.from({ length: 4096 }, (_, index) => hex(`digest ${index}`));
const tools = [
  'get_ticket',
  'search_docs',
  'list_files',
  'read_file',
  'send_reply',
  'write_note',
  'fetch_page',
];
const actions = ['read', 'read', 'read', 'read', 'egress', 'write', 'egress'] as const;

export interface Shape {
  readonly tenants: number;
  /** Open at the same time, over all tenants; each has eight calls. */
  readonly sessions: number;
}

/** A tool call as a collector writes it, about 1.1 kB; sessions of all tenants interleaved, ever new ones. */
export function eventAt(index: number, { tenants, sessions }: Shape): CustodyEvent {
  const slot = index % sessions;
  const round = Math.floor(index / sessions);
  const session = `${slot}-${Math.floor(round / 8)}`;
  const step = (round + slot) % tools.length;
  const id = `${(index + 0x1000_0000).toString(16).padStart(12, '0')}${digests[index % 4096] ?? ''}`;
  const time = `${1_767_600_000_000 + index}000000`;
  const digest = (salt: number) => digests[(index * 31 + salt) % digests.length] ?? '';
  return {
    schema: EVENT_SCHEMA,
    event_id: `${id.slice(4, 12)}-${id.slice(12, 16)}-8${id.slice(17, 20)}-a${id.slice(21, 24)}-${id.slice(24, 36)}`,
    kind: 'tool_call',
    phase: 'complete',
    tenant: `tenant-${slot % tenants}`,
    time_unix_nano: time,
    observed_time_unix_nano: time,
    source: { collector: 'otlp_grpc', signal: 'span', dialect: 'bench', vantage: 'client' },
    trace: { trace_id: id.slice(0, 32), span_id: id.slice(0, 16), parent_span_id: id.slice(16, 32) },
    actor: { id: `agent-${slot % 50}`, type: 'agent' },
    server: { name: `server-${step % 3}` },
    tool: { name: tools[step] ?? '', call_id: id.slice(0, 12), action: actions[step] ?? 'read' },
    session: { key: session, source: 'conversation_id', confidence: 'high' },
    arguments: { digest: digest(1), size_bytes: 100 + ((index * 7919) % 700) },
    result: { digest: digest(2), size_bytes: 300 + ((index * 104_729) % 3000), category: 'ok' },
    policy: { decision: 'allow' },
    scope: { grants: ['read:tickets', 'write:tickets'], ttl_sec: 600 },
  };
}

export const recordAt = (index: number, shape: Shape): TopicRecord => {
  const event = eventAt(index, shape);
  return { key: event.tenant, value: encodeEvent(event) };
};

/** The configuration that processes with this environment have. */
export function configOf(env: Readonly<Record<string, string>>): Config {
  const known = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('CUSTODY_')));
  return configSchema.parse(applyEnvironment({}, known, configSchema));
}

export async function openBenchLog(config: Config): Promise<Log> {
  if (config.log.type !== 'kafka') throw new Error('not on Kafka');
  return openKafkaLog({ config: config.log, credentials: { password: undefined } });
}

/** Appends events [0, count) to the log, several calls at a time; gives the seconds it took. */
export async function fill(log: Log, count: number, shape: Shape, callers = 4): Promise<number> {
  const topic = log.topic('custody.events');
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) {
        const from = next;
        next += 1000;
        const size = Math.min(1000, count - from);
        await topic.append(Array.from({ length: size }, (_, index) => recordAt(from + index, shape)));
      }
    }),
  );
  return (performance.now() - began) / 1000;
}
