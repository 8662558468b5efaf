import { createHash } from 'node:crypto';
import type { DetectRecord, Engine, EngineOptions } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import type { Alert } from '../../schemas/alert.ts';
import { configSchema, type DetectConfig } from '../../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import { createSharedReplay } from '../../detectors/engine/shared-replay.ts';

export const startMs = Date.UTC(2026, 0, 5, 9, 0, 0);
export const hex = (text: string) => createHash('sha256').update(text).digest('hex');

export function detectConfig(changes: Record<string, unknown> = {}): DetectConfig {
  return configSchema.parse({ detect: changes }).detect;
}

export function uuidOf(text: string): string {
  const id = hex(text);
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(13, 16)}-a${id.slice(17, 20)}-${id.slice(20, 32)}`;
}

export interface Call {
  readonly tool: string;
  readonly server?: string;
  readonly action?: NonNullable<CustodyEvent['tool']>['action'];
  /** Anything; becomes a digest. */
  readonly arguments?: string;
  readonly argumentsBytes?: number;
  readonly result?: string;
  readonly resultBytes?: number;
  readonly category?: NonNullable<CustodyEvent['result']>['category'];
  readonly to?: readonly string[];
  readonly decision?: NonNullable<CustodyEvent['policy']>['decision'];
  readonly change?: (event: CustodyEvent) => CustodyEvent;
}

/** A complete tool call as an MCP client's span tells it. */
export function callEvent(
  tenant: string,
  session: string,
  seq: number,
  timeMs: number,
  call: Call,
): CustodyEvent {
  const event: CustodyEvent = {
    schema: EVENT_SCHEMA,
    event_id: uuidOf(`${tenant} ${session} ${seq}`),
    kind: 'tool_call',
    phase: 'complete',
    tenant,
    time_unix_nano: `${timeMs}000000`,
    observed_time_unix_nano: `${timeMs}000000`,
    source: { collector: 'otlp_http', signal: 'span', dialect: 'test', vantage: 'client' },
    actor: { id: 'agent-1', type: 'agent' },
    tool: { name: call.tool, action: call.action ?? 'read' },
    session: { key: session, source: 'conversation_id', confidence: 'high' },
    arguments: { digest: hex(call.arguments ?? `${session} ${seq}`), size_bytes: call.argumentsBytes ?? 120 },
    result: {
      digest: hex(call.result ?? `result ${session} ${seq}`),
      size_bytes: call.resultBytes ?? 800,
      category: call.category ?? 'ok',
    },
    policy: { decision: call.decision ?? 'allow' },
    ...(call.server === undefined ? {} : { server: { name: call.server } }),
    ...(call.to === undefined ? {} : { destinations: [...call.to] }),
  };
  return call.change?.(event) ?? event;
}

export function endEvent(tenant: string, session: string, timeMs: number): CustodyEvent {
  return {
    schema: EVENT_SCHEMA,
    event_id: uuidOf(`${tenant} ${session} end`),
    kind: 'session',
    tenant,
    time_unix_nano: `${timeMs}000000`,
    observed_time_unix_nano: `${timeMs}000000`,
    source: { collector: 'otlp_http', signal: 'span', dialect: 'test', vantage: 'client' },
    session: { key: session, source: 'conversation_id', confidence: 'high', transition: 'end' },
  };
}

/** Sends sessions one after the other, a second apart, into one engine. */
export function runner(config: DetectConfig = detectConfig(), options: EngineOptions = {}) {
  let engine = createEngine(config, options);
  let timeMs = startMs;
  const records: DetectRecord[] = [];
  const { enabled, epoch_ms } = config.shared_statistics;
  const shared = createSharedReplay(epoch_ms);
  const send = (event: CustodyEvent, appendTimeMs = timeMs): Alert[] => {
    records.push({ event, appendTimeMs });
    if (enabled) shared.enter(0, engine, appendTimeMs);
    return engine.process({ event, appendTimeMs });
  };
  const session = (key: string, calls: readonly Call[], tenant = 'acme'): Alert[] =>
    calls.flatMap((call, seq) => {
      timeMs += 1000;
      return send(callEvent(tenant, key, seq, timeMs, call));
    });
  const end = (key: string, tenant = 'acme'): Alert[] => {
    timeMs += 1000;
    return send(endEvent(tenant, key, timeMs));
  };
  return {
    records,
    send,
    session,
    end,
    /** A session from its first call to its end. */
    whole: (key: string, calls: readonly Call[], tenant = 'acme'): Alert[] => [
      ...session(key, calls, tenant),
      ...end(key, tenant),
    ],
    now: () => timeMs,
    wait: (ms: number) => (timeMs += ms),
    engine: (): Engine => engine,
    restart() {
      const pieces = collectState(engine.snapshot());
      engine = createEngine(config, options);
      engine.restore([...pieces].map(([name, value]) => ({ name, value })));
    },
  };
}

export function collectState(
  changes: Iterable<{ readonly name: string; readonly value: Uint8Array | undefined }>,
  into = new Map<string, Uint8Array>(),
): Map<string, Uint8Array> {
  for (const { name, value } of changes) {
    if (value === undefined) into.delete(name);
    else into.set(name, value);
  }
  return into;
}

export const readTicket: Call = { tool: 'get_ticket', server: 'desk' };
export const search: Call = { tool: 'search_docs', server: 'wiki' };
export const reply: Call = { tool: 'send_reply', server: 'mail', action: 'egress', to: ['customer.example'] };
export const note: Call = { tool: 'write_note', server: 'desk', action: 'write' };

/** What the tenant does all day: a few kinds of short sessions. */
export const workday: readonly (readonly Call[])[] = [
  [readTicket, search, reply],
  [readTicket, note],
  [search, note],
  [readTicket, search, note, reply],
];

/** Sessions one after the other, each ended: detectors learn when a session closes. */
export function learnWorkday(run: ReturnType<typeof runner>, sessions = 60, tenant = 'acme'): Alert[] {
  const alerts: Alert[] = [];
  for (let index = 0; index < sessions; index += 1)
    alerts.push(...run.whole(`day-${index}`, workday[index % workday.length] ?? [], tenant));
  return alerts;
}

export const by = (alerts: readonly Alert[], detector: string) =>
  alerts.filter((alert) => alert.detector.id === detector);

/** The event without some of its facts. */
export function omit<Key extends keyof CustodyEvent>(
  event: CustodyEvent,
  ...keys: Key[]
): Omit<CustodyEvent, Key> {
  const rest: Partial<CustodyEvent> = { ...event };
  for (const key of keys) Reflect.deleteProperty(rest, key);
  return rest as Omit<CustodyEvent, Key>;
}
