import type { DetectConfig } from '../schemas/config.ts';
import { aboutEvent } from './about-event.ts';
import { hasConsequences } from './call-outcome.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import type { DetectEvent, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import type { Registry } from './registry/registry.ts';
import { describeBypass, type Bypass } from './unregistered-words.ts';

/** A call that only the agent, the client or the server has told of so far. */
interface Waiting {
  readonly dueMs: number;
  readonly tool: number;
  readonly bypass: Bypass;
}

/** Of a server's calls, how many a gateway told of as well. */
interface Joined {
  joined: number;
  /** Of them, by an id; the others by tool and time. */
  byId: number;
  missed: number;
}

export interface BypassTenant {
  nowMs: number;
  nextId: number;
  /** In the order they are due. */
  readonly waiting: Map<number, Waiting>;
  readonly servers: Map<number, Joined>;
  /** Calls that only a gateway has told of, by tool, with the time of the last. */
  readonly loose: Map<number, { count: number; lastMs: number }>;
}

/** The last calls of a session to servers behind a gateway. */
export type BypassSession = BypassCall[];

interface BypassCall {
  readonly index: number;
  /** In `waiting`. */
  id: number | undefined;
  byGateway: boolean;
}

const maxWaiting = 256;
const maxServers = 64;
const maxLoose = 64;
const maxCalls = 16;
const usualShare = 0.95;
const memory = 400;

export function newBypassTenant(): BypassTenant {
  return { nowMs: 0, nextId: 0, waiting: new Map(), servers: new Map(), loose: new Map() };
}

/** Takes in who tells of a call to a server behind a gateway. */
export function observeForBypass(
  config: DetectConfig['unregistered'],
  tenant: BypassTenant,
  session: { bypass: BypassSession | undefined },
  detected: DetectEvent,
  registry: Registry,
): void {
  const { event, call, fresh, timeMs } = detected;
  if (call === undefined || event.kind !== 'tool_call') return;
  if (registry.server(call.server)?.behindGateway !== true) return;
  const { vantage } = event.source;
  if (vantage === 'unknown' || call.server === undefined) return;
  const isGateway = vantage === 'gateway' || vantage === 'tap';
  const calls = (session.bypass ??= []);
  let known = calls.find(({ index }) => index === call.index);
  if (known === undefined) {
    known = { index: call.index, id: undefined, byGateway: false };
    pushBounded(calls, known, maxCalls);
  }
  const server = keptEntry(tenant.servers, itemHash(call.server), maxServers, (): Joined => ({
    joined: 0,
    byId: 0,
    missed: 0,
  }));
  if (isGateway) {
    if (known.byGateway) return;
    known.byGateway = true;
    if (known.id !== undefined && tenant.waiting.delete(known.id)) countJoined(server, 1);
    else if (fresh.call && !joinsById(config, server)) settleLoose(tenant, call.toolHash, timeMs, server);
    return;
  }
  if (known.byGateway || known.id !== undefined) {
    // The gateway's word came first: then the two belong together.
    if (known.byGateway && known.id === undefined) {
      known.id = -1;
      takeLoose(tenant, call.toolHash);
      countJoined(server, 1);
    }
    return;
  }
  if (!joinsById(config, server) && takeLoose(tenant, call.toolHash)) {
    known.id = -1;
    countJoined(server, 0);
    return;
  }
  known.id = tenant.nextId;
  tenant.nextId += 1;
  tenant.waiting.set(known.id, {
    dueMs: Math.max(tenant.nowMs, timeMs) + config.within_ms,
    tool: call.toolHash,
    bypass: {
      eventId: event.event_id,
      isGrave: hasConsequences(call),
      ...aboutEvent(detected, { serverName: call.server, toolName: call.tool, decision: undefined }),
    },
  });
  if (tenant.waiting.size > maxWaiting) {
    const oldest = tenant.waiting.keys().next();
    if (oldest.done !== true) tenant.waiting.delete(oldest.value);
  }
}

/** What the time that went by has decided: told where the gateway tells of nearly every call of the server. */
export function expireBypass(
  config: DetectConfig['unregistered'],
  tenant: BypassTenant,
  timeMs: number,
  raise: Raise,
): void {
  if (timeMs > tenant.nowMs) tenant.nowMs = timeMs;
  if (tenant.waiting.size === 0) return;
  for (const [id, { dueMs, bypass }] of tenant.waiting) {
    if (dueMs >= tenant.nowMs) return;
    tenant.waiting.delete(id);
    const server = tenant.servers.get(itemHash(bypass.serverName));
    if (server === undefined) continue;
    const { joined, missed } = server;
    if (joined >= config.learning_calls && joined / (joined + missed) >= usualShare)
      raise(describeBypass(bypass, joined, joined + missed, config.within_ms));
    server.missed += 1;
    forget(server);
  }
}

/** A gateway's word that no id joins to a call is taken for the oldest call of the same tool that waits for one. */
function settleLoose(tenant: BypassTenant, tool: number, timeMs: number, server: Joined): void {
  for (const [id, waiting] of tenant.waiting) {
    if (waiting.tool !== tool) continue;
    tenant.waiting.delete(id);
    countJoined(server, 0);
    return;
  }
  const loose = keptEntry(tenant.loose, tool, maxLoose, () => ({ count: 0, lastMs: 0 }));
  loose.count = Math.min(64, loose.count + 1);
  loose.lastMs = Math.max(loose.lastMs, timeMs);
}

function takeLoose({ loose, nowMs }: BypassTenant, tool: number): boolean {
  const known = loose.get(tool);
  if (known === undefined || known.count === 0 || nowMs - known.lastMs > looseForMs) return false;
  known.count -= 1;
  return true;
}

const looseForMs = 5 * 60_000;

/** Ids join what gateway and agent tell of this server: then tool and time are no evidence. */
function joinsById({ learning_calls }: DetectConfig['unregistered'], { joined, byId }: Joined): boolean {
  return byId >= learning_calls && byId >= usualShare * joined;
}

function countJoined(server: Joined, byId: 0 | 1): void {
  server.joined += 1;
  server.byId += byId;
  forget(server);
}

/** Counts are halved at a bound, so that habits follow a change. */
function forget(server: Joined): void {
  if (server.joined + server.missed < memory) return;
  server.joined = Math.floor(server.joined / 2);
  server.byId = Math.floor(server.byId / 2);
  server.missed = Math.floor(server.missed / 2);
}
