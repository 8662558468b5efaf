import type { CustodyEvent } from '../../schemas/event.ts';
import { itemHash } from '../learning/item-hash.ts';

type Listed = NonNullable<CustodyEvent['listed_tools']>[string];

/** A tool's definition as a server offered it. Digests are cut to 32 hex digits. */
export interface Definition {
  readonly whole: string | undefined;
  readonly description: string | undefined;
  readonly schema: string | undefined;
  readonly annotations: string | undefined;
}

/** What is kept of one tool of one server. */
export interface Pin {
  current: Definition;
  /** For the difference a person reads; redacted and cut by the collector. */
  text: string;
  /** Hashes of the names of its arguments. */
  properties: readonly number[];
  /** It has text that speaks to the model. */
  shaped: boolean;
  /** As last told with a list or a call. */
  hints: { readOnly: boolean | undefined; destructive: boolean | undefined };
  eventId: string;
  sinceMs: number;
  /** Who has seen the current definition; hashes. */
  viewers: number[];
  /** Earlier definitions, oldest first. */
  readonly earlier: { readonly key: string; readonly untilMs: number; readonly viewers: readonly number[] }[];
  /** Agents that called it since the last change; `undefined` before any. */
  callers: number[] | undefined;
}

/** One server's tools, least recently listed last. */
export interface ServerPins {
  readonly tools: Map<string, Pin>;
  version: string | undefined;
  /** Events that told of it: who has told little goes first. */
  seen: number;
}

export interface PinTable {
  readonly servers: Map<string, ServerPins>;
  size: number;
}

const maxServers = 256;
const maxToolsPerServer = 256;
const maxEarlier = 4;
const maxViewers = 8;
const chances = 8;

export const newPinTable = (): PinTable => ({ servers: new Map(), size: 0 });

/** The server's tools; a server that has told little makes room. */
export function serverPins(table: PinTable, name: string): ServerPins {
  let server = table.servers.get(name);
  if (server === undefined) {
    if (table.servers.size >= maxServers) evictServer(table, name);
    server = { tools: new Map(), version: undefined, seen: 0 };
  }
  table.servers.delete(name);
  table.servers.set(name, server);
  server.seen += 1;
  return server;
}

/** Pins a tool seen for the first time; false when there is no room for it. */
export function addPin(
  table: PinTable,
  serverName: string,
  tool: string,
  pin: Pin,
  pinsMax: number,
): boolean {
  const server = table.servers.get(serverName);
  if (server === undefined || server.tools.size >= maxToolsPerServer) return false;
  if (table.size >= pinsMax && !evictServer(table, serverName)) return false;
  server.tools.set(tool, pin);
  table.size += 1;
  return true;
}

export function removePin(table: PinTable, server: ServerPins, tool: string): void {
  if (server.tools.delete(tool)) table.size -= 1;
}

/** Of the servers not heard of for longest, the one that told least: a flood of made-up servers drives out itself. */
function evictServer(table: PinTable, keep: string): boolean {
  let victim: string | undefined;
  let least = Infinity;
  let tries = 0;
  for (const [name, { seen }] of table.servers) {
    if (name === keep) continue;
    if (seen < least) [victim, least] = [name, seen];
    tries += 1;
    if (tries === chances) break;
  }
  if (victim === undefined) return false;
  table.size -= table.servers.get(victim)?.tools.size ?? 0;
  table.servers.delete(victim);
  return true;
}

export function definitionOf(whole: string | undefined, listed: Listed | undefined): Definition {
  return {
    whole: cut(whole),
    description: cut(listed?.description_digest),
    schema: cut(listed?.schema_digest),
    annotations: cut(listed?.annotations_digest),
  };
}

export function newPin(
  current: Definition,
  listed: Listed | undefined,
  eventId: string,
  timeMs: number,
  viewer: number | undefined,
): Pin {
  return {
    current,
    text: listed?.description ?? '',
    properties: (listed?.properties ?? []).map(itemHash),
    shaped: isShaped(listed),
    hints: { readOnly: listed?.annotations?.read_only, destructive: listed?.annotations?.destructive },
    eventId,
    sinceMs: timeMs,
    viewers: viewer === undefined ? [] : [viewer],
    earlier: [],
    callers: undefined,
  };
}

/** Parts told by both that differ; `whole` only when no part tells more. */
export function changedParts(before: Definition, now: Definition): (keyof Definition)[] {
  const parts = (['description', 'schema', 'annotations'] as const).filter((part) =>
    differs(before[part], now[part]),
  );
  if (parts.length > 0) return parts;
  return differs(before.whole, now.whole) ? ['whole'] : [];
}

/** What was not told this time is as it was. */
export function mergedDefinition(before: Definition, now: Definition, changed: boolean): Definition {
  const keep = (part: keyof Definition) => now[part] ?? (changed ? undefined : before[part]);
  return {
    whole: keep('whole'),
    description: now.description ?? before.description,
    schema: now.schema ?? before.schema,
    annotations: now.annotations ?? before.annotations,
  };
}

/** Names a definition by what is known of it. */
export function keyOf({ whole, description, schema, annotations }: Definition): string {
  return whole ?? `${description ?? ''} ${schema ?? ''} ${annotations ?? ''}`;
}

/** Replaces what is pinned; the old one is remembered, so that its return is noticed. */
export function repin(
  pin: Pin,
  next: Definition,
  listed: Listed | undefined,
  at: { eventId: string; timeMs: number },
): void {
  pin.earlier.push({ key: keyOf(pin.current), untilMs: at.timeMs, viewers: pin.viewers });
  if (pin.earlier.length > maxEarlier) pin.earlier.shift();
  pin.current = next;
  if (listed?.description !== undefined) pin.text = listed.description;
  if (listed?.properties !== undefined) pin.properties = listed.properties.map(itemHash);
  if (listed !== undefined) pin.shaped = isShaped(listed);
  pin.eventId = at.eventId;
  pin.sinceMs = at.timeMs;
  pin.viewers = [];
  pin.callers = [];
}

export function noteViewer(pin: Pin, viewer: number | undefined): void {
  if (viewer === undefined || pin.viewers.includes(viewer)) return;
  pin.viewers.push(viewer);
  if (pin.viewers.length > maxViewers) pin.viewers.shift();
}

/** The text speaks to the model. */
export function isShaped(listed: Listed | undefined): boolean {
  return (listed?.shapes?.['instruction'] ?? 0) > 0;
}

/** Same schema, or at least four of five names of arguments are the same. */
export function sameInputs(
  one: Pin,
  other: { readonly schema: string | undefined; readonly properties: readonly number[] },
): boolean {
  if (one.current.schema !== undefined && one.current.schema === other.schema) return true;
  const common = one.properties.filter((name) => other.properties.includes(name)).length;
  const all = one.properties.length + other.properties.length - common;
  return common >= 2 && common * 5 >= all * 4;
}

function differs(before: string | undefined, now: string | undefined): boolean {
  return before !== undefined && now !== undefined && before !== now;
}

function cut(digest: string | undefined): string | undefined {
  return digest?.slice(0, 32);
}
