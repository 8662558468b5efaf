import { hash } from 'node:crypto';
import { EVENT_SCHEMA, type CustodyEvent, eventSchema } from '../../schemas/event.ts';
import { isObject } from '../../schemas/json-object.ts';
import { durationMs } from '../../schemas/rule.ts';

/** A Monday, 09:00 UTC: when the first event of a case happens unless it says otherwise. */
export const caseStartMs = Date.UTC(2026, 0, 5, 9);

/** Words of a short event, and what each says in the canonical event. Anything else goes under `event`. */
const words: Readonly<Record<string, ((value: unknown) => unknown) | undefined>> = {
  phase: (phase) => ({ phase }),
  tenant: (tenant) => ({ tenant }),
  session: (key) => (key === '' ? {} : { session: { key, source: 'conversation_id', confidence: 'high' } }),
  actor: (id) => ({ actor: { id } }),
  actor_type: (type) => ({ actor: { type } }),
  user: (user_id) => ({ actor: { user_id } }),
  client: (name) => ({ client: { name } }),
  server: (name) => ({ server: { name } }),
  tool: (name) => toolOf(String(name)),
  action: (action) => ({ tool: { action } }),
  decision: (decision) => ({ policy: { decision } }),
  ticket: (ticket) => ({ policy: { ticket } }),
  args_bytes: (size_bytes) => ({ arguments: { size_bytes } }),
  result_bytes: (size_bytes) => ({ result: { size_bytes } }),
  category: (category) => ({ result: { category } }),
  to: (destinations) => ({ destinations }),
  grants: (grants) => ({ scope: { grants } }),
  ttl_sec: (ttl_sec) => ({ scope: { ttl_sec } }),
  items: (item_count) => ({ item_count }),
  transition: (transition) => ({ session: { transition } }),
  event: (event) => event,
};

/** `server/tool`, or a tool alone. */
function toolOf(text: string): unknown {
  const slash = text.lastIndexOf('/');
  const tool = { name: text.slice(slash + 1) };
  return slash < 0 ? { tool } : { tool, server: { name: text.slice(0, slash) } };
}

export interface PlacedEvent {
  readonly event: CustodyEvent;
  readonly timeMs: number;
}

/**
 * Short events as canonical ones, one second apart unless `at` (after the first) or `time` says otherwise.
 * @throws RangeError that names the event and the word.
 */
export function expandEvents(shorts: readonly Readonly<Record<string, unknown>>[]): PlacedEvent[] {
  let beforeMs = caseStartMs - 1000;
  return shorts.map((short, index) => {
    const place = `events.${index}`;
    const timeMs = timeOf(short, place, beforeMs);
    beforeMs = timeMs;
    return { event: expand(short, index, timeMs, place), timeMs };
  });
}

function timeOf({ at, time }: Readonly<Record<string, unknown>>, place: string, beforeMs: number): number {
  if (at !== undefined) {
    if (typeof at !== 'string' || !/^\d{1,7}[smhd]$/.test(at))
      throw new RangeError(
        `${place}.at: a duration such as 90s, counted from ${new Date(caseStartMs).toISOString()}`,
      );
    return caseStartMs + durationMs(at);
  }
  if (time === undefined) return beforeMs + 1000;
  const ms = typeof time === 'string' ? Date.parse(time) : NaN;
  if (Number.isNaN(ms)) throw new RangeError(`${place}.time: a time such as 2026-01-05T23:30:00Z`);
  return ms;
}

function expand(
  short: Readonly<Record<string, unknown>>,
  index: number,
  timeMs: number,
  place: string,
): CustodyEvent {
  const { kind = 'tool_call' } = short;
  const event: Record<string, unknown> = {
    schema: EVENT_SCHEMA,
    event_id: uuidOf(`event ${index}`),
    kind,
    tenant: 'acme',
    time_unix_nano: `${timeMs}000000`,
    observed_time_unix_nano: `${timeMs}000000`,
    source: { collector: 'otlp_http', signal: 'span', dialect: 'rule-test', vantage: 'gateway' },
    actor: { id: 'agent-1', type: 'agent' },
    session: { key: 's1', source: 'conversation_id', confidence: 'high' },
  };
  if (kind === 'tool_call')
    Object.assign(event, {
      phase: 'complete',
      arguments: { digest: hash('sha256', `arguments ${index}`, 'hex'), size_bytes: 120 },
      result: { digest: hash('sha256', `result ${index}`, 'hex'), size_bytes: 800, category: 'ok' },
    });
  if (short['session'] === '') delete event['session'];
  for (const [word, value] of Object.entries(short)) {
    if (word === 'at' || word === 'time' || word === 'kind') continue;
    const meaning = Object.hasOwn(words, word) ? words[word] : undefined;
    if (meaning === undefined)
      throw new RangeError(`${place}.${word}: no such word; members of the canonical event go under event`);
    merge(event, meaning(value));
  }
  const parsed = eventSchema.safeParse(event);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const keys =
    issue?.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : (issue?.path ?? []);
  throw new RangeError(`${place}: ${keys.map(String).join('.')}: ${issue?.message ?? 'not an event'}`);
}

/** Objects are merged, everything else is replaced; null removes. */
function merge(target: Record<string, unknown>, source: unknown): void {
  if (!isObject(source)) return;
  for (const [key, value] of Object.entries(source)) {
    if (key === '__proto__') continue;
    const before = target[key];
    if (value === null) Reflect.deleteProperty(target, key);
    else if (isObject(value) && isObject(before)) {
      const copy = { ...before };
      merge(copy, value);
      target[key] = copy;
    } else target[key] = value;
  }
}

export function uuidOf(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
