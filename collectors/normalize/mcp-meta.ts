/**
 * Facts that travel inside MCP messages: `_meta` of the 2026-07-28 revision, W3C trace context, and the handshake of
 * the revisions before it. Everything here is the sender's word about itself (attacker-controlled).
 */
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { clipText } from './clip-text.ts';

export interface Peer {
  readonly name?: string;
  readonly version?: string;
}

export interface McpMeta {
  readonly client?: Peer;
  readonly server?: Peer;
  readonly protocolVersion?: string;
  readonly traceId?: string;
  /** The span of the caller, parent of whatever the receiver does. */
  readonly parentSpanId?: string;
  readonly sampled?: boolean;
  /** `session.id` of the W3C baggage. */
  readonly agentSessionId?: string;
  /** `gen_ai.conversation.id` of the W3C baggage. */
  readonly conversationId?: string;
  /** SEP-2817 `aiInvocation.turnId`. */
  readonly turnId?: string;
}

const PREFIX = 'io.modelcontextprotocol/';
const BAGGAGE_MAX_CHARS = 8192;

export function text(value: unknown, maxChars = 256): string | undefined {
  return typeof value === 'string' && value !== '' ? clipText(value, maxChars) : undefined;
}

/** Reads what one message says about its sender and its place in a trace. */
export function readMeta(message: JsonObject): McpMeta {
  const body = isObject(message['params']) ? message['params'] : message['result'];
  if (!isObject(body)) return {};
  const meta = isObject(body['_meta']) ? body['_meta'] : {};
  const invocation = meta[`${PREFIX}aiInvocation`];
  const baggage = readBaggage(meta['baggage']);
  return defined({
    client: peer(meta[`${PREFIX}clientInfo`] ?? body['clientInfo']),
    server: peer(meta[`${PREFIX}serverInfo`] ?? body['serverInfo']),
    protocolVersion: text(meta[`${PREFIX}protocolVersion`] ?? body['protocolVersion'], 64),
    ...readTraceparent(meta['traceparent']),
    agentSessionId: baggage.get('session.id'),
    conversationId: baggage.get('gen_ai.conversation.id'),
    turnId: isObject(invocation) ? text(invocation['turnId']) : undefined,
  });
}

function peer(value: unknown): Peer | undefined {
  if (!isObject(value)) return undefined;
  const found: Peer = defined({ name: text(value['name']), version: text(value['version']) });
  return found.name === undefined && found.version === undefined ? undefined : found;
}

/** W3C Trace Context §3.2: `00-<trace id>-<parent id>-<flags>`; all-zero ids are invalid. */
function readTraceparent(value: unknown): Pick<McpMeta, 'traceId' | 'parentSpanId' | 'sampled'> {
  if (typeof value !== 'string' || value.length > 512) return {};
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(value);
  const [, traceId, parentSpanId, flags] = match ?? [];
  if (traceId === undefined || parentSpanId === undefined || flags === undefined || value.startsWith('ff'))
    return {};
  if (/^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return {};
  return { traceId, parentSpanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** W3C Baggage: `key=value;property,key=value`, values percent-encoded. */
function readBaggage(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (typeof value !== 'string' || value.length > BAGGAGE_MAX_CHARS) return found;
  for (const member of value.split(',')) {
    const equals = member.indexOf('=');
    if (equals === -1) continue;
    const raw =
      member
        .slice(equals + 1)
        .split(';', 1)[0]
        ?.trim() ?? '';
    const decoded = text(percentDecoded(raw));
    if (decoded !== undefined) found.set(member.slice(0, equals).trim(), decoded);
  }
  return found;
}

function percentDecoded(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without its undefined members, typed so that absent means absent. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}
