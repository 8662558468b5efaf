import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** One audit event as a sender writes it. */
export type AuditRecord = Readonly<Record<string, unknown>>;

export const TENANTS: readonly string[] = [
  'acme',
  'globex',
  'initech',
  'umbrella',
  'hooli',
  'stark',
  'wayne',
  'wonka',
  'tyrell',
  'cyberdyne',
  'soylent',
  // Its clock is hours ahead: the append time of the log decides when its events happened.
  'clock-ahead',
];
const HOUR_MS = 3_600_000;
const KiB = 1024;

interface Call {
  readonly tool: string;
  readonly server: string;
  readonly action?: 'read' | 'write' | 'egress';
  readonly arguments?: unknown;
  readonly argumentsBytes?: number;
  readonly resultBytes?: number;
  readonly outcome?: 'ok' | 'tool_error';
  readonly to?: readonly string[];
  readonly more?: AuditRecord;
}

const times = (count: number, call: (index: number) => Call): Call[] =>
  Array.from({ length: count }, (_, index) => call(index));
const readTicket: Call = { tool: 'get_ticket', server: 'desk' };
const search: Call = { tool: 'search_docs', server: 'wiki' };
const note: Call = { tool: 'write_note', server: 'desk', action: 'write' };
const reply: Call = { tool: 'send_reply', server: 'mail', action: 'egress', to: ['customer.example'] };
const exportCrm: Call = { tool: 'read_customers', server: 'crm', resultBytes: 2 * KiB };
const upload: Call = {
  tool: 'upload',
  server: 'share',
  action: 'egress',
  argumentsBytes: 2 * KiB,
  to: ['partner.example'],
};
const workday: readonly (readonly Call[])[] = [
  [readTicket, search, reply],
  [readTicket, note],
  [search, note],
  [readTicket, search, note, reply],
  [readTicket, exportCrm, upload],
];

/** What each tenant's agents do wrong after they have done the usual for a while. */
const incidents: readonly (readonly [string, readonly Call[]])[] = [
  ['stuck', times(6, () => ({ ...readTicket, tool: 'get_status', arguments: { job: 1 } }))],
  [
    'circling',
    times(9, (index) => ({ ...search, tool: `step_${index % 3}`, arguments: { step: index % 3 } })),
  ],
  ['failing', times(9, (index) => ({ ...note, arguments: { try: index }, outcome: 'tool_error' }))],
  [
    'insisting',
    [
      { ...search, more: { retry_count: 6 } },
      { ...note, more: { plan_depth: 13 } },
    ],
  ],
  [
    'leak',
    [
      readTicket,
      { ...exportCrm, resultBytes: 3 * KiB * KiB },
      note,
      { ...upload, argumentsBytes: 600 * KiB, to: ['drop.example'] },
    ],
  ],
  ['drip', times(14, () => ({ ...upload, to: ['drip.example'] }))],
  [
    'chain',
    [
      readTicket,
      { tool: 'read_secret', server: 'vault' },
      { tool: 'http_post', server: 'web', action: 'egress', to: ['stranger.example'] },
    ],
  ],
];

/** Several thousand events of twelve tenants in the order of their times, so that the tenants take turns. */
export function agentTraffic(startMs: number): AuditRecord[] {
  return TENANTS.flatMap((tenant, index) => tenantTraffic(tenant, startMs + 137 * index)).sort(
    (a, b) => (a['sent_ms'] as number) - (b['sent_ms'] as number),
  );
}

function tenantTraffic(tenant: string, startMs: number): AuditRecord[] {
  const records: AuditRecord[] = [];
  let nowMs = startMs;
  const send = (id: string, record: AuditRecord) => {
    nowMs += 1000;
    const timeMs = tenant === 'clock-ahead' ? nowMs + 24 * HOUR_MS : nowMs;
    const who = { tenant, 'actor.id': `${tenant}-agent`, 'actor.type': 'agent' };
    records.push({
      id: `${tenant}/${id}`,
      time: new Date(timeMs).toISOString(),
      sent_ms: nowMs,
      ...who,
      ...record,
    });
  };
  const session = (key: string, calls: readonly Call[], ends = true) => {
    calls.forEach((call, seq) => send(`${key}/${seq}`, callRecord(key, seq, call)));
    if (ends) send(`${key}/end`, { 'session.id': key, event: 'session.end' });
  };
  const grant = (id: string, grants: readonly string[], ttlSec = 600) =>
    send(id, {
      event: 'grant',
      'session.id': id,
      'scope.grants': grants,
      'scope.ttl_sec': ttlSec,
      'policy.decision': 'allow',
    });
  for (let day = 0; day < 75; day += 1) {
    // Every fifth session is left open and closes by itself half an hour of event time later.
    session(`day-${day}`, workday[day % workday.length] ?? [], day % 5 !== 0);
    if (day % 3 === 0) grant(`grant-${day}`, ['read:tickets', 'write:tickets']);
    if (day === 40) nowMs += HOUR_MS;
  }
  grant('grant-broad', ['write:*']);
  grant('grant-long', ['write:*'], 7200);
  grant('grant-other', ['write:billing']);
  for (const [name, calls] of incidents) session(name, calls);
  // Sent twice, as a collector's client does that heard no answer: two records of one event.
  return [...records, ...records.slice(-5)];
}

function callRecord(session: string, seq: number, call: Call): AuditRecord {
  return {
    event: 'tool.call',
    kind: 'tool_call',
    'session.id': session,
    'tool.name': call.tool,
    'server.name': call.server,
    action: call.action ?? 'read',
    arguments: call.arguments ?? { session, seq },
    ...(call.argumentsBytes !== undefined && { args_bytes: call.argumentsBytes }),
    result_bytes: call.resultBytes ?? 800,
    outcome: call.outcome ?? 'ok',
    'policy.decision': 'allow',
    ...(call.to !== undefined && { destinations: call.to }),
    ...call.more,
  };
}

/** Lines that no collector can turn into an event. */
export const UNUSABLE: readonly string[] = [
  '{"tenant":"acme","event":"tool.call","time":"yesterday","tool.name":"x"}',
  '{"tenant":"globex","tool.name":',
  '[1,2,3]',
  '"only a text"',
  '{}',
];

const sessionsFile = fileURLToPath(new URL('../../../shared/data/stream.mcp.jsonl.gz', import.meta.url));

/** Recorded sessions of real agents lie beside the repository. */
export const hasRecordedSessions = existsSync(sessionsFile);

interface Recorded {
  readonly ts: string;
  readonly tenant: string;
  readonly agent: string;
  readonly session: string;
  readonly server?: string;
  readonly msg?: {
    readonly id: number;
    readonly params?: { readonly name: string; readonly arguments: unknown };
    readonly result?: { readonly isError?: boolean };
  };
}

/** The first tool calls of recorded agent sessions, request and result in one audit event; none where there is no file. */
export function recordedSessions(maxCalls: number): AuditRecord[] {
  if (!hasRecordedSessions) return [];
  const open = new Map<string, Recorded>();
  const calls: AuditRecord[] = [];
  for (const line of gunzipSync(readFileSync(sessionsFile)).toString().split('\n')) {
    if (line === '' || calls.length === maxCalls) continue;
    const record = JSON.parse(line) as Recorded;
    const { msg, session } = record;
    if (msg === undefined) continue;
    const id = `${session}/${msg.id}`;
    if (msg.result === undefined) {
      open.set(id, record);
      continue;
    }
    const request = open.get(id);
    open.delete(id);
    if (request?.msg?.params === undefined) continue;
    calls.push({
      id,
      time: request.ts,
      tenant: request.tenant,
      'actor.id': request.agent,
      'actor.type': 'agent',
      'session.id': session,
      'server.name': request.server ?? 'unknown',
      'tool.name': request.msg.params.name,
      arguments: request.msg.params.arguments,
      result: msg.result,
      is_error: msg.result.isError === true,
      'policy.decision': 'allow',
    });
  }
  return calls;
}
