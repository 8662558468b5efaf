import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { normalizeAudit } from '../../collectors/normalize/audit.ts';
import { createConversation, type Conversation } from '../../collectors/tap/conversation.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { textOf, type ReadEvent } from './recorded-event.ts';
import { spelledFacts, withFacts } from './spelled-facts.ts';

/** A line with a message, its time and what is fixed for the recording. */
export interface PlacedMessage {
  readonly record: JsonObject;
  readonly timeUnixNano: string;
  readonly context: NormalizeContext;
}

/** Reads the MCP messages of a recording through the tap's own code: a conversation for each session and server. */
export interface MessageReader {
  events(placed: PlacedMessage): ReadEvent[];
  /** Forgets the session; what was asked and not answered is told. */
  end(tenant: string, session: string, timeUnixNano: string): ReadEvent[];
}

interface Talk {
  readonly conversation: Conversation;
  /** Number of the call by JSON-RPC id, while it is not answered. */
  readonly asked: Map<string, number>;
  readonly isNamed: boolean;
}

const ASKED_MAX = 4096;
/** About the line, not the message. */
const OWN_MEMBERS = new Set('ts tenant agent session server type msg intent seq dir direction'.split(' '));

export function createMessageReader(): MessageReader {
  const sessions = new Map<string, { readonly talks: Map<string, Talk>; calls: number }>();

  function talkOf({ record, timeUnixNano, context }: PlacedMessage): Talk {
    const session = textOf(record['session']) ?? '';
    const server = textOf(record['server']);
    const key = keyOf(context.tenant, session);
    const own = sessions.get(key) ?? { talks: new Map<string, Talk>(), calls: 0 };
    sessions.set(key, own);
    let talk = own.talks.get(server ?? '');
    if (talk === undefined) {
      const tap = {
        instance: `recording/${context.tenant}/${session}/${server ?? ''}/${timeUnixNano}`.slice(0, 200),
        serverName: server ?? 'unnamed',
        actorId: textOf(record['agent']),
        sessionKey: session === '' ? undefined : session,
      };
      const { tenant, digestKey } = context;
      talk = {
        conversation: createConversation({ tap, tenant, digestKey }),
        asked: new Map(),
        isNamed: server !== undefined,
      };
      own.talks.set(server ?? '', talk);
    }
    return talk;
  }

  /** Number of the call a message is about. */
  function seqOf(key: string, talk: Talk, message: JsonObject): number | undefined {
    const id = JSON.stringify(message['id']);
    if (!('method' in message)) {
      const seq = talk.asked.get(id);
      talk.asked.delete(id);
      return seq;
    }
    const own = sessions.get(key);
    if (message['method'] !== 'tools/call' || message['id'] === undefined || own === undefined)
      return undefined;
    const seq = own.calls++;
    if (talk.asked.size < ASKED_MAX) talk.asked.set(id, seq);
    return seq;
  }

  return {
    events(placed) {
      const { record, timeUnixNano } = placed;
      const message = isObject(record['msg']) ? record['msg'] : {};
      const talk = talkOf(placed);
      const seq = seqOf(keyOf(placed.context.tenant, textOf(record['session']) ?? ''), talk, message);
      const line = { kind: 'whole', bytes: Buffer.from(JSON.stringify(message)), terminated: true } as const;
      const direction =
        'method' in message && !isFromServer(record) ? 'client_to_server' : 'server_to_client';
      const besides = statedBesides(placed);
      return [...talk.conversation.observe(line, direction, timeUnixNano)].map((event) => ({
        event: besides(asRecorded(event, talk.isNamed)),
        seq,
      }));
    },
    end(tenant, session, timeUnixNano) {
      const key = keyOf(tenant, session);
      const own = sessions.get(key);
      sessions.delete(key);
      return [...(own?.talks.values() ?? [])].flatMap(({ conversation, isNamed }) =>
        [...conversation.end(timeUnixNano, {})]
          // The end of a connection is not the end of the session, which has others.
          .filter(({ kind }) => kind === 'tool_call')
          .map((event) => ({ event: asRecorded(event, isNamed), seq: undefined })),
      );
    },
  };
}

/** Tenants may use one name for two sessions. */
const keyOf = (tenant: string, session: string) => `${tenant}\n${session}`;

function isFromServer({ dir, direction }: JsonObject): boolean {
  return /^(?:server_to_client|s2c|in|from_server)$/.test(textOf(dir) ?? textOf(direction) ?? '');
}

/** A recording does not say how its messages travelled, and it may not name the server. */
function asRecorded(event: CustodyEvent, isNamed: boolean): CustodyEvent {
  const { mcp, server, ...rest } = event;
  const told = Object.fromEntries(Object.entries(mcp ?? {}).filter(([member]) => member !== 'transport'));
  return {
    ...rest,
    ...(mcp === undefined ? {} : { mcp: told }),
    ...(isNamed && server !== undefined ? { server } : {}),
  };
}

/** Parts of an event that a line may state beside its message. */
const STATED = [
  ...([
    'client',
    'scope',
    'policy',
    'pii',
    'idempotency_key',
    'item_count',
    'network',
    'supply_chain',
  ] as const),
  ...(['change', 'health', 'retry_count', 'plan_depth', 'cost', 'environment', 'trace'] as const),
];

/** Adds what the line says beside the message, read as `normalisedEvents` reads it; it goes before what the message says. */
function statedBesides({
  record,
  timeUnixNano,
  context,
}: PlacedMessage): (event: CustodyEvent) => CustodyEvent {
  const others = othersOf(record);
  if (Object.keys(others).length === 0) return (event) => event;
  const { facts, rest } = spelledFacts(others);
  const read = normalizeAudit({ ...rest, time: timeUnixNano }, context);
  const parts = Object.fromEntries(
    STATED.flatMap((name) => (read[name] === undefined ? [] : [[name, read[name]]])),
  );
  return (event) => withFacts({ ...event, ...parts }, facts);
}

function othersOf(record: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !OWN_MEMBERS.has(name)));
}
