import { createHash } from 'node:crypto';
import { encodeEvent } from '../collectors/normalize/encode.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';
import type { TopicRecord } from '../streams/topic.ts';

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

export const callsPerSession = 8;

/** A registry that knows the tools below, as most tenants would have one. */
export const toolRegistry = {
  version: 1,
  zones: [
    { name: 'ours', trust: 'internal' },
    { name: 'partners', trust: 'vendor' },
    { name: 'web', trust: 'external', destinations: ['example'] },
  ],
  servers: [0, 1, 2].map((server) => ({
    name: `server-${server}`,
    zone: server === 2 ? 'partners' : 'ours',
    tools: tools.map((name, index) => ({ name, action: actions[index] })),
  })),
  agents: [{ id: 'agent-*' }],
};

export interface Shape {
  readonly tenants: number;
  /** Open at the same time, over all tenants. */
  readonly sessions: number;
}

/** Eight calls of a session in the usual order, sessions of all tenants interleaved, ever new sessions. */
export function eventAt(index: number, { tenants, sessions }: Shape): CustodyEvent {
  const slot = index % sessions;
  const round = Math.floor(index / sessions);
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

/** The record a collector makes of it, about 1 kB. */
export function recordAt(index: number, shape: Shape): TopicRecord {
  const event = eventAt(index, shape);
  return { key: event.tenant, value: encodeEvent(event) };
}
