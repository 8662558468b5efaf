import { hash } from 'node:crypto';
import type { BundleFacts, CaseEntry, CaseView } from '../../bundle/case-data.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';

/** A day at the desk of an agent: it reads, is told something by a web page, reads what it should not, and sends. */
export const LOG = 'desk/acme/0b7f2c9e51-0/0';
export const ALERT_LOG = 'desk/acme/77aa01c2d3-0/0';
const START_MS = Date.UTC(2026, 8, 14, 9, 2, 11, 480);

const id = (name: string): string => {
  const hex = hash('sha256', name, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

export interface Step {
  readonly afterMs?: number;
  readonly kind?: CustodyEvent['kind'];
  readonly server?: string;
  readonly tool?: string;
  readonly action?: NonNullable<CustodyEvent['tool']>['action'];
  readonly decision?: NonNullable<CustodyEvent['policy']>['decision'];
  readonly rule?: string;
  readonly result?: NonNullable<CustodyEvent['result']>['category'];
  readonly to?: readonly string[];
  readonly bytes?: readonly [number, number];
  readonly summary?: string;
  readonly actor?: string;
}

/** The event of one step, as a collector would have written it. */
export function eventOf(step: Step, number: number, timeMs: number): CustodyEvent {
  const unixNano = `${timeMs}000000`;
  const digest = hash('sha256', `span ${number}`, 'hex');
  const { server, tool, decision, rule, result, bytes, summary } = step;
  return {
    schema: 'custody.event/v1',
    event_id: id(`event ${number}`),
    kind: step.kind ?? 'tool_call',
    phase: 'complete',
    tenant: 'acme',
    time_unix_nano: unixNano,
    observed_time_unix_nano: unixNano,
    source: { collector: 'otlp_grpc', signal: 'span', dialect: 'otel_mcp', vantage: 'gateway' },
    trace: { trace_id: digest.slice(0, 32), span_id: digest.slice(32, 48) },
    actor: { id: step.actor ?? 'research-agent-4', type: 'agent', user_id: 'm.okafor@acme.example' },
    session: { key: 'conv-8841', source: 'conversation_id', confidence: 'high' },
    ...(server === undefined ? {} : { server: { name: server, version: '2.1.0' } }),
    ...(tool === undefined
      ? {}
      : { tool: { name: tool, ...(step.action === undefined ? {} : { action: step.action }) } }),
    ...(bytes === undefined && summary === undefined
      ? {}
      : {
          arguments: {
            ...(bytes === undefined ? {} : { size_bytes: bytes[0] }),
            ...(summary === undefined ? {} : { summary }),
          },
        }),
    ...(bytes === undefined && result === undefined
      ? {}
      : {
          result: {
            ...(bytes === undefined ? {} : { size_bytes: bytes[1] }),
            ...(result === undefined ? {} : { category: result }),
          },
        }),
    ...(step.to === undefined ? {} : { destinations: [...step.to] }),
    ...(decision === undefined && rule === undefined
      ? {}
      : {
          policy: {
            ...(decision === undefined ? {} : { decision }),
            ...(rule === undefined ? {} : { rule }),
          },
        }),
  };
}

export function eventEntry(event: CustodyEvent, seq: number, appendTimeMs: number): CaseEntry {
  return {
    ...{ log: LOG, seq: BigInt(seq), topic: 'custody.events', appendTimeMs, kind: 'event', event },
    bodySha: hash('sha256', JSON.stringify(event), 'hex'),
  };
}

export const STORY: readonly Step[] = [
  { kind: 'session', afterMs: 0 },
  { kind: 'plan', afterMs: 420 },
  {
    server: 'mail',
    tool: 'search_messages',
    action: 'read',
    decision: 'allow',
    rule: 'mail-read',
    result: 'ok',
    bytes: [96, 18_240],
    afterMs: 1_310,
    summary: '{"query":"supplier invoice august","limit":20}',
  },
  {
    server: 'mail',
    tool: 'get_message',
    action: 'read',
    decision: 'allow',
    rule: 'mail-read',
    result: 'ok',
    bytes: [64, 22_118],
    afterMs: 640,
  },
  { kind: 'model', afterMs: 2_950 },
  {
    server: 'browser',
    tool: 'fetch',
    action: 'egress',
    decision: 'allow',
    rule: 'web-default',
    result: 'ok',
    bytes: [141, 80_412],
    to: ['docs.supplier.example'],
    afterMs: 890,
    summary: '{"url":"https://docs.supplier.example/terms"}',
  },
  { kind: 'model', afterMs: 4_100 },
  {
    server: 'files',
    tool: 'list_directory',
    action: 'read',
    decision: 'allow',
    rule: 'files-home',
    result: 'ok',
    bytes: [58, 3_310],
    afterMs: 700,
  },
  {
    server: 'files',
    tool: 'read_file',
    action: 'read',
    decision: 'deny',
    rule: 'no-secrets',
    result: 'denied',
    bytes: [77, 0],
    afterMs: 1_450,
    summary: '{"path":"/home/okafor/.ssh/[REDACTED]"}',
  },
  {
    server: 'files',
    tool: 'read_file',
    action: 'read',
    decision: 'ask',
    rule: 'finance-approval',
    result: 'input_required',
    bytes: [83, 0],
    afterMs: 1_220,
  },
  { kind: 'policy', decision: 'allow', rule: 'finance-approval', afterMs: 41_000 },
  {
    server: 'files',
    tool: 'read_file',
    action: 'read',
    decision: 'redact',
    rule: 'pii-redact',
    result: 'ok',
    bytes: [83, 1_804_226],
    afterMs: 310,
    summary: '{"path":"/finance/payroll-2026.csv"}',
  },
  { kind: 'model', afterMs: 3_820 },
  {
    server: 'database',
    tool: 'run_query',
    action: 'read',
    result: 'ok',
    bytes: [318, 912_004],
    afterMs: 900,
    summary: 'select * from customers limit 5000',
  },
  {
    server: 'browser',
    tool: 'http_post',
    action: 'egress',
    decision: 'allow',
    rule: 'web-default',
    result: 'ok',
    bytes: [2_716_230, 21],
    to: ['paste.dropzone.example', '203.0.113.77'],
    afterMs: 6_730,
  },
  {
    server: 'browser',
    tool: 'http_post',
    action: 'egress',
    decision: 'deny',
    rule: 'egress-budget',
    result: 'denied',
    bytes: [1_104_871, 0],
    to: ['paste.dropzone.example'],
    afterMs: 2_110,
  },
  {
    server: 'mail',
    tool: 'send_message',
    action: 'write',
    decision: 'deny',
    rule: 'mail-external',
    result: 'denied',
    bytes: [12_044, 0],
    to: ['mx.dropzone.example'],
    afterMs: 5_030,
  },
  { kind: 'session', afterMs: 18_200 },
];

const ALERT_TEXT = {
  title: 'Data read from files and database left for a destination never seen before',
  reason:
    'The agent read payroll and customer data and sent 2.7 MB to paste.dropzone.example 7 seconds later; no session of this tenant has sent there before.',
  observed:
    '2,716,230 bytes to a first-seen destination within 7 s of reading 2,716,230 bytes of finance data',
  normal: 'sessions of this agent send at most 41 kB to 3 known destinations',
  distance: '66 times the largest upload of the last 30 days; destination seen 0 times in 12,480 calls',
};

export function alertOf(events: readonly CaseEntry[], timeMs: number): Alert {
  const evidence = events.slice(-3).flatMap(({ event }) => (event === undefined ? [] : [event.event_id]));
  return {
    schema: 'custody.alert/v1',
    alert_id: id(`alert ${timeMs}`),
    detector: { id: 'exfil-words', version: 3 },
    time_unix_nano: `${timeMs}000000`,
    tenant: 'acme',
    ...ALERT_TEXT,
    ...{
      severity: 'critical',
      score: 0.97,
      dedup_key: 'conv-8841 exfil',
      evidence,
      session_key: 'conv-8841',
    },
    ...{
      actor_id: 'research-agent-4',
      user_id: 'm.okafor@acme.example',
      server_name: 'browser',
      tool_name: 'http_post',
    },
    policy_decision: 'allow',
    destinations: ['paste.dropzone.example', '203.0.113.77'],
    references: { owasp: ['MCP06:2025', 'ASI02'], atlas: ['AML.T0086'], attack: ['T1567', 'T1048'] },
  };
}

export function storyEntries(steps: readonly Step[] = STORY): CaseEntry[] {
  let timeMs = START_MS;
  const entries: CaseEntry[] = [];
  const calls: CaseEntry[] = [];
  let alerted = false;
  for (const [index, step] of steps.entries()) {
    timeMs += step.afterMs ?? 1000;
    const entry = eventEntry(eventOf(step, index, timeMs), 4100 + index, timeMs);
    entries.push(entry);
    if ((step.kind ?? 'tool_call') === 'tool_call') calls.push(entry);
    if (step.tool !== 'http_post' || alerted) continue;
    alerted = true;
    entries.push(alertEntry(alertOf(calls, timeMs), timeMs + 38, 17));
  }
  return entries;
}

export function alertEntry(alert: Alert, appendTimeMs: number, seq: number): CaseEntry {
  return {
    ...{ log: ALERT_LOG, seq: BigInt(seq), topic: 'custody.alerts', appendTimeMs, kind: 'event', alert },
    bodySha: hash('sha256', JSON.stringify(alert), 'hex'),
  };
}

const KEY = (name: string) => `${name}+6f2a11c8+AeU0w1e2FzqT0tK6J0o0+4mVv9a5cO3fJzJw0Yt2X1kQ`;

export function factsOf(change: Partial<BundleFacts> = {}): BundleFacts {
  const root = hash('sha256', 'root', 'hex');
  const log = {
    mode: 'range',
    size: 5_120n,
    root,
    anchorSeq: 881n,
    checkpointMs: START_MS + 120_000,
  } as const;
  const act = {
    schema: 'custody.act/v1',
    ...{ actor: 'j.lindqvist', role: 'incident responder', reason: 'INC-2291' },
    ...{ case: 'INC-2291', tool: 'custody 0.1.0', time_source: 'system clock', previous: '0'.repeat(64) },
    ...{ key: 'desk/bundle+6f2a11c8', signature: 'c2ln' },
  } as const;
  return {
    caseId: 'INC-2291',
    question: 'Did the research agent send payroll data outside on 14 September, and who allowed it?',
    mode: 'range',
    claim:
      'Complete for each log named in logs.json: every entry from from_seq to to_seq is here, none left out, none changed, under a signed checkpoint. Nothing is claimed about entries outside these ranges or about logs not named.',
    deployment: 'desk',
    tenant: 'acme',
    fromMs: START_MS - 60_000,
    toMs: START_MS + 600_000,
    filters: { session: 'conv-8841' },
    createdMs: START_MS + 3_600_000,
    operator: 'j.lindqvist',
    reason: 'Incident INC-2291, requested by counsel',
    tool: { name: 'custody', version: '0.1.0' },
    logs: [
      { ...log, log: LOG, index: '0001', fromSeq: 4100n, toSeq: 4117n, entryCount: 18 },
      { ...log, log: ALERT_LOG, index: '0002', fromSeq: 17n, toSeq: 17n, entryCount: 1, size: 18n },
    ],
    anchorLog: {
      ...{ origin: 'desk/anchor', size: 902n, root, timeMs: START_MS + 130_000 },
      cosigners: ['witness.example/w1'],
    },
    anchors: [
      { anchor: 'lock-bucket', type: 'place', size: 902n },
      { anchor: 'tsa', type: 'timestamp', size: 902n },
    ],
    keys: { notary: [KEY('desk/anchor')], bundle: KEY('desk/bundle') },
    acts: [
      {
        ...act,
        act_id: id('act 0'),
        seq: 0,
        action: 'collect',
        from: 'store of desk',
        time_ms: START_MS + 3_590_000,
      },
      {
        ...act,
        act_id: id('act 1'),
        seq: 1,
        action: 'seal',
        time_ms: START_MS + 3_600_000,
        previous: hash('sha256', 'act', 'hex'),
      },
    ],
    receiptCount: 12,
    findings: [],
    leftOut: [],
    ...change,
  };
}

/** Runs a view over entries. */
export function rendered<Result>(
  view: CaseView<Result>,
  entries: Iterable<CaseEntry> = storyEntries(),
  facts: BundleFacts = factsOf(),
): Result {
  for (const entry of entries) view.push(entry);
  return view.finish(facts);
}
