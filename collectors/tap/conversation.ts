import type { Line } from '../../runtime/line-splitter.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { clipText } from '../normalize/clip-text.ts';
import { readMeta, text, type Peer } from '../normalize/mcp-meta.ts';
import { readToolList, type ListedTool, type ToolList } from '../normalize/mcp-tools.ts';
import {
  isContinuation,
  normalizeMcpMessage,
  normalizeTapEvent,
  requestId,
  type Direction,
  type McpObservation,
  type McpTap,
  type PendingRequest,
} from '../normalize/mcp.ts';
import { idKey, isBlank, messageSizes, readParts, type LinePart } from './json-rpc.ts';
import type { ProvenanceSettings } from '../normalize/provenance/settings.ts';
import { createPendingRequests, opposite } from './pending-requests.ts';
import { describeOversize, describeUnparsable } from './unreadable-line.ts';

export interface ConversationOptions {
  readonly tap: McpTap;
  readonly tenant: string;
  readonly digestKey: Uint8Array;
  /** Requests without an answer held per direction; beyond it the oldest is forgotten. */
  readonly pendingMax?: number;
  /** Tool definitions remembered to join calls with. */
  readonly toolsMax?: number;
  /** Absent: the defaults. */
  readonly provenance?: ProvenanceSettings | undefined;
}

export type TapAttributes = Readonly<Record<string, string | number | boolean>>;

/** Turns the lines of both directions of one stdio session into events; holds what joins answers to requests. */
export interface Conversation {
  /** `intent`: the agent's task in words, where somebody told it; only fingerprints of its words are kept. */
  start(timeUnixNano: string, attributes: TapAttributes, intent?: string): CustodyEvent;
  /** Events of one line, in order; usually one, several for a batch or a long tool list. */
  observe(line: Line, direction: Direction, timeUnixNano: string): Iterable<CustodyEvent>;
  /** Records that something was lost between the events before and after. */
  gap(timeUnixNano: string, attributes: TapAttributes): CustodyEvent;
  /** Calls nobody will answer any more, then the end of the session. */
  end(timeUnixNano: string, attributes: TapAttributes): Iterable<CustodyEvent>;
}

/** A message within its line. */
interface Placed {
  readonly line: Uint8Array;
  readonly part: Extract<LinePart, { kind: 'message' }>;
  readonly direction: Direction;
  readonly timeUnixNano: string;
  readonly isTerminated: boolean;
}

/** Each may take ten kilobytes. */
const DEFINITIONS_PER_EVENT = 64;

export function createConversation(options: ConversationOptions): Conversation {
  const { tap, digestKey } = options;
  const toolsMax = options.toolsMax ?? 4096;
  const pending = createPendingRequests(options.pendingMax ?? 4096);
  const tools = new Map<string, ListedTool>();
  let toolsForgotten = 0;
  let blankLines = 0;
  let peers: McpObservation['peers'] = {};
  let sequence = 0n;

  const contextAt = (timeUnixNano: string): NormalizeContext => ({
    collector: 'mcp_stdio_tap',
    tenant: options.tenant,
    tenantPinned: true,
    observedTimeUnixNano: timeUnixNano,
    digestKey,
    ...(options.provenance === undefined ? {} : { provenance: options.provenance }),
  });
  const stamp = (timeUnixNano: string) => ({ timeUnixNano, sequence: String(sequence++), peers });

  function* message(value: JsonObject, placed: Placed): Generator<CustodyEvent> {
    const { direction, timeUnixNano } = placed;
    introduce(value);
    const position = stamp(timeUnixNano);
    const key = idKey(value['id']);
    const isAnswer = !('method' in value);
    const request =
      key === undefined
        ? undefined
        : isAnswer
          ? pending.takeAnswered(direction, key)
          : asRequest(value, position.sequence, timeUnixNano);
    if (!isAnswer && key !== undefined && request !== undefined) pending.add(direction, key, request);
    const answered = isAnswer ? request : undefined;
    const list = answered?.method === 'tools/list' ? readListed(value['result']) : undefined;
    list?.tools.forEach(learn);
    const sizes = messageSizes(placed.line, placed.part.span);
    const observation: McpObservation = {
      ...position,
      direction,
      wireBytes: placed.part.span.end - placed.part.span.start,
      argumentsBytes: sizes.argumentsBytes,
      resultBytes: sizes.resultBytes,
      callId: request?.callId,
      pending: answered,
      listedTool: tools.get(request?.toolName ?? ''),
      toolDefinitions: list?.tools.slice(0, DEFINITIONS_PER_EVENT),
      attributes: {
        ...oddities(placed, list),
        ...(sizes.repeated ? { 'mcp.repeated_members': true } : {}),
        ...(isAnswer && request === undefined ? { 'mcp.answer_without_request': true } : {}),
      },
    };
    yield normalizeMcpMessage(value, observation, tap, contextAt(timeUnixNano));
    yield* moreDefinitions(list?.tools ?? [], timeUnixNano);
    if (value['method'] === 'notifications/cancelled') yield* cancelled(value, direction, timeUnixNano);
  }

  const introduce = (value: JsonObject) => {
    const meta = readMeta(value);
    peers = {
      client: merged(peers.client, meta.client),
      server: merged(peers.server, meta.server),
      protocolVersion: meta.protocolVersion ?? peers.protocolVersion,
    };
  };

  const asRequest = (value: JsonObject, position: string, timeUnixNano: string): PendingRequest => {
    const id = requestId(value['id']) ?? '';
    const params = isObject(value['params']) ? value['params'] : {};
    return {
      method: text(value['method']) ?? '',
      toolName: value['method'] === 'tools/call' ? text(params['name']) : undefined,
      // The sequence number tells apart two calls of a client that uses an id twice.
      callId: clipText(`${tap.instance}.${position}.${id}`, 256),
      requestId: id,
      timeUnixNano,
      meta: readMeta(value),
      continuation: isContinuation(value),
    };
  };

  const learn = (tool: ListedTool) => {
    if (tools.size < toolsMax || tools.has(tool.name)) tools.set(tool.name, tool);
    else toolsForgotten++;
  };

  /** A long tool list goes on in further events, so that no event is unbounded. */
  function* moreDefinitions(listed: readonly ListedTool[], timeUnixNano: string): Generator<CustodyEvent> {
    for (let from = DEFINITIONS_PER_EVENT; from < listed.length; from += DEFINITIONS_PER_EVENT) {
      const part = listed.slice(from, from + DEFINITIONS_PER_EVENT);
      yield normalizeTapEvent(
        {
          kind: 'tool_list',
          name: 'tools/list',
          attributes: { 'mcp.tools_from': from },
          toolDefinitions: part,
        },
        { ...stamp(timeUnixNano), direction: 'server_to_client' },
        tap,
        contextAt(timeUnixNano),
      );
    }
  }

  /** The outcome of a call whose caller no longer waits; a late answer is still recorded when it comes. */
  function* cancelled(
    notification: JsonObject,
    direction: Direction,
    timeUnixNano: string,
  ): Generator<CustodyEvent> {
    const params = isObject(notification['params']) ? notification['params'] : {};
    const request = pending.get(direction, idKey(params['requestId']) ?? '');
    if (request?.method === 'tools/call')
      yield withoutAnswer(request, direction, timeUnixNano, { category: 'cancelled', code: 'cancelled' });
  }

  const withoutAnswer = (
    request: PendingRequest,
    direction: Direction,
    timeUnixNano: string,
    result: NonNullable<CustodyEvent['result']>,
  ): CustodyEvent => {
    const observation: McpObservation = {
      ...stamp(timeUnixNano),
      direction: opposite[direction],
      wireBytes: 0,
      argumentsBytes: undefined,
      resultBytes: undefined,
      callId: request.callId,
      pending: request,
      listedTool: tools.get(request.toolName ?? ''),
      toolDefinitions: undefined,
      attributes: {},
    };
    const event = normalizeMcpMessage({ id: request.requestId }, observation, tap, contextAt(timeUnixNano));
    return { ...event, result };
  };

  const tapEvent = (
    kind: 'session' | 'context',
    name: string,
    timeUnixNano: string,
    attributes: TapAttributes,
    transition?: 'start' | 'end',
    intent?: string,
  ) =>
    normalizeTapEvent(
      { kind, name, attributes, intent, ...(transition === undefined ? {} : { transition }) },
      stamp(timeUnixNano),
      tap,
      contextAt(timeUnixNano),
    );

  return {
    start: (timeUnixNano, attributes, intent) =>
      tapEvent('session', 'custody.tap.start', timeUnixNano, attributes, 'start', intent),
    gap: (timeUnixNano, attributes) => tapEvent('context', 'custody.tap.gap', timeUnixNano, attributes),
    *observe(line, direction, timeUnixNano) {
      const unreadable = (found: ReturnType<typeof describeUnparsable>) =>
        normalizeTapEvent(found, { ...stamp(timeUnixNano), direction }, tap, contextAt(timeUnixNano));
      if (line.kind === 'oversize') {
        yield unreadable(describeOversize(line, direction));
        return;
      }
      if (isBlank(line.bytes)) {
        blankLines++;
        return;
      }
      for (const part of readParts(line.bytes)) {
        if (part.kind === 'message') {
          const placed = { line: line.bytes, part, direction, timeUnixNano, isTerminated: line.terminated };
          yield* message(part.value, placed);
        } else {
          const bytes = line.bytes.subarray(part.span.start, part.span.end);
          yield unreadable(describeUnparsable(bytes, direction, part.reason, digestKey));
        }
      }
    },
    *end(timeUnixNano, attributes) {
      for (const [direction, request] of pending.all())
        if (request.method === 'tools/call')
          yield withoutAnswer(request, direction, timeUnixNano, {
            category: 'unknown',
            code: 'connection_closed',
          });
      const counted = {
        ...(blankLines > 0 ? { 'mcp.blank_lines_count': blankLines } : {}),
        ...(pending.forgottenCount > 0 ? { 'mcp.pending_forgotten_count': pending.forgottenCount } : {}),
        ...(toolsForgotten > 0 ? { 'mcp.tools_forgotten_count': toolsForgotten } : {}),
      };
      yield tapEvent('session', 'custody.tap.end', timeUnixNano, { ...attributes, ...counted }, 'end');
    },
  };
}

const merged = (known: Peer | undefined, told: Peer | undefined): Peer | undefined =>
  told === undefined ? known : { ...known, ...told };

function readListed(result: unknown): ToolList | undefined {
  return isObject(result) ? readToolList(result) : undefined;
}

/** What is unusual about a message, for detectors and people to look at. */
function oddities({ part, isTerminated }: Placed, list: ToolList | undefined): TapAttributes {
  return {
    ...(isTerminated ? {} : { 'mcp.unterminated_line': true }),
    ...(part.batchIndex === undefined ? {} : { 'mcp.batch_index': part.batchIndex }),
    ...(list === undefined || list.unusableCount === 0
      ? {}
      : { 'mcp.tools_unusable_count': list.unusableCount }),
    ...(list === undefined || list.nonCanonicalCount === 0
      ? {}
      : { 'mcp.tools_non_canonical_count': list.nonCanonicalCount }),
  };
}
