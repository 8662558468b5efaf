import type { DetectConfig } from '../schemas/config.ts';
import { describeBypass } from './audit-blindness-words.ts';
import { keptEntry } from './counters/kept-entry.ts';
import { isNews, type ToldTimes } from './counters/told-times.ts';
import type { CallFacts, DetectEvent, FindingSubject, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';

/** A call that only who made it has told of so far. */
interface Alone {
  readonly dueMs: number;
  readonly server: string;
  readonly eventId: string;
  readonly session: number;
  readonly about: FindingSubject;
}

/** How calls of a server are told: by both sides, or by the caller's alone. */
interface Views {
  both: number;
  alone: number;
}

export interface ViewTenant {
  nextId: number;
  readonly waiting: Map<number, Alone>;
  /** Of closed sessions without an open alert. */
  readonly usual: Map<string, Views>;
  /** Sessions one of whose calls alarmed: the alarm may come while another session is looked at. */
  readonly alarmed: number[];
  readonly told: ToldTimes;
}

interface Seen {
  readonly index: number;
  readonly id: number;
  readonly server: string;
  both: boolean;
}

export interface ViewSession {
  /** Hash of its key. */
  session: number;
  key: string | undefined;
  readonly calls: Seen[];
  /** Of calls that left the list; made with the first. */
  tally: Map<string, Views> | undefined;
}

const maxWaiting = 256;
const maxServers = 128;
const maxCalls = 16;
const maxAlarmed = 64;
const memory = 512;
const dueAfterMs = 15 * 60_000;
const againMs = 3_600_000;
const habitualShare = 95;

export function newViewTenant(): ViewTenant {
  return { nextId: 0, waiting: new Map(), usual: new Map(), alarmed: [], told: new Map() };
}

export function newViewSession(): ViewSession {
  return { session: 0, key: undefined, calls: [], tally: undefined };
}

/** Takes in who tells of the call: the caller's side, or what stands between it and the server. */
export function noteView(
  config: DetectConfig['audit_blindness'],
  tenant: ViewTenant,
  session: ViewSession,
  detected: DetectEvent,
  nowMs: number,
): void {
  const { event, call } = detected;
  if (call === undefined || event.kind !== 'tool_call') return;
  // The key of a session changes when a better name turns up.
  if (session.key !== detected.session.key) {
    session.key = detected.session.key;
    session.session = itemHash(detected.session.key);
  }
  const { vantage } = event.source;
  const server = call.server ?? event.server?.name;
  if (vantage === 'server' || vantage === 'gateway' || vantage === 'tap') {
    const known = session.calls.find(({ index }) => index === call.index);
    if (known === undefined && server !== undefined) addCall(tenant, session, call, server, true);
    else if (known !== undefined && !known.both) {
      known.both = true;
      tenant.waiting.delete(known.id);
    }
    return;
  }
  if (vantage !== 'agent' && vantage !== 'client') return;
  if (
    server === undefined ||
    session.calls.some(({ index }) => index === call.index) ||
    detected.decision === 'deny'
  )
    return;
  const id = addCall(tenant, session, call, server, false);
  // Where the other side is hardly ever heard, nothing is missing: most tenants are told of from one side only.
  if (!isHabit(config, tenant.usual.get(server))) return;
  tenant.waiting.set(id, {
    dueMs: nowMs + dueAfterMs,
    server,
    eventId: event.event_id,
    session: session.session,
    about: {
      sessionKey: detected.session.key,
      traceId: event.trace?.trace_id,
      actorId: event.actor?.id,
      userId: event.actor?.user_id,
      serverName: server,
      toolName: call.tool === '' ? undefined : call.tool,
      decision: undefined,
    },
  });
  if (tenant.waiting.size > maxWaiting) {
    const oldest = tenant.waiting.keys().next().value;
    if (oldest !== undefined) tenant.waiting.delete(oldest);
  }
}

function addCall(
  tenant: ViewTenant,
  session: ViewSession,
  { index }: CallFacts,
  server: string,
  both: boolean,
): number {
  const id = tenant.nextId;
  tenant.nextId += 1;
  session.calls.push({ index, id, server, both });
  if (session.calls.length > maxCalls) {
    const oldest = session.calls.shift();
    session.tally ??= new Map<string, Views>();
    if (oldest !== undefined) count(session.tally, oldest);
  }
  return id;
}

function count(
  tally: Map<string, Views>,
  { server, both }: { readonly server: string; readonly both: boolean },
): void {
  const views = keptEntry(tally, server, maxServers, () => ({ both: 0, alone: 0 }));
  if (both) views.both += 1;
  else views.alone += 1;
}

/** What the time that went by has decided. */
export function judgeViews(
  config: DetectConfig['audit_blindness'],
  tenant: ViewTenant,
  nowMs: number,
  raise: Raise,
): void {
  for (const [id, alone] of tenant.waiting) {
    // In the order they began, and all wait for as long.
    if (alone.dueMs >= nowMs) return;
    tenant.waiting.delete(id);
    const usual = tenant.usual.get(alone.server);
    if (!isHabit(config, usual)) continue;
    tenant.alarmed.push(alone.session);
    if (tenant.alarmed.length > maxAlarmed) tenant.alarmed.shift();
    if (isNews(tenant.told, `${alone.server}\n${alone.session}`, nowMs, againMs))
      raise(describeBypass(alone.server, alone.eventId, alone.about, usual.both, usual.both + usual.alone));
  }
}

/** Nearly all calls of the server are told by both sides. */
function isHabit(config: DetectConfig['audit_blindness'], usual: Views | undefined): usual is Views {
  if (usual === undefined) return false;
  const total = usual.both + usual.alone;
  return total >= config.learning_calls && usual.both * 100 >= habitualShare * total;
}

export function learnViews({ usual, alarmed }: ViewTenant, { session, calls, tally }: ViewSession): void {
  if (alarmed.includes(session)) return;
  const total = tally ?? new Map<string, Views>();
  for (const call of calls) count(total, call);
  for (const [server, { both, alone }] of total) {
    const views = keptEntry(
      usual,
      server,
      maxServers,
      () => ({ both: 0, alone: 0 }),
      ({ both: seen }) => seen > 20,
    );
    views.both += both;
    views.alone += alone;
    while (views.both + views.alone >= memory) {
      views.both = Math.floor(views.both / 2);
      views.alone = Math.floor(views.alone / 2);
    }
  }
}
