import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { createConversation } from '../../collectors/tap/conversation.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { textOf } from './recorded-event.ts';

type ToolLists = Pick<CustodyEvent, 'tool_definitions' | 'listed_tools'>;

/** Words by which a record says that it tells what tools a server offers. */
const LISTS = /^(?:mcp\.)?(?:tools?[/_. -]?(?:list(?:ed|ing)?|definitions?|changed)|list[_-]?tools)$/i;
const ABOUT_THE_RECORD = new Set(
  'ts time session tenant agent server seq kind type event name tool'.split(' '),
);

/**
 * The tools a record lists, described by the collector that describes what servers list; `undefined` when it lists none. A
 * definition may be whole, or whatever is kept of it, such as a digest: a change of that is a change of the tool.
 */
export function toolLists(record: JsonObject, context: NormalizeContext): ToolLists | undefined {
  const tools = definitionsIn(record);
  if (tools === undefined) return undefined;
  const tap = { instance: 'recording', serverName: textOf(record['server']) ?? 'server' };
  const conversation = createConversation({ tap, tenant: context.tenant, digestKey: context.digestKey });
  const told: ToolLists = {};
  const say = (message: object, direction: 'client_to_server' | 'server_to_client') => {
    const line = { kind: 'whole', bytes: Buffer.from(JSON.stringify(message)), terminated: true } as const;
    for (const event of conversation.observe(line, direction, context.observedTimeUnixNano)) {
      if (event.tool_definitions !== undefined)
        told.tool_definitions = { ...told.tool_definitions, ...event.tool_definitions };
      if (event.listed_tools !== undefined)
        told.listed_tools = { ...told.listed_tools, ...event.listed_tools };
    }
  };
  say({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, 'client_to_server');
  say({ jsonrpc: '2.0', id: 1, result: { tools } }, 'server_to_client');
  return told;
}

function definitionsIn(record: JsonObject): JsonObject[] | undefined {
  const listed = record['tools'] ?? record['definitions'] ?? record['tool_list'] ?? record['listed_tools'];
  if (Array.isArray(listed))
    return listed.flatMap((item: unknown) =>
      isObject(item) ? [named(item)] : typeof item === 'string' ? [{ name: item }] : [],
    );
  if (isObject(listed))
    return Object.entries(listed).map(([name, kept]) =>
      isObject(kept) ? { ...kept, name } : { name, digest: kept },
    );
  const says = ['kind', 'type', 'event', 'name', 'method'].some((member) =>
    LISTS.test(textOf(record[member]) ?? ''),
  );
  const tool = textOf(record['tool']);
  if (!says || tool === undefined) return undefined;
  const kept = Object.entries(record).filter(([member]) => !ABOUT_THE_RECORD.has(member));
  return [{ ...Object.fromEntries(kept), name: tool }];
}

function named(item: JsonObject): JsonObject {
  const name = item['name'] ?? item['tool'];
  return name === undefined ? item : { ...item, name };
}
