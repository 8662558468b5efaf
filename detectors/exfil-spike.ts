import type { DetectConfig } from '../schemas/config.ts';
import { opensPages } from './content/opens-pages.ts';
import {
  isConsequential,
  type ActionClass,
  type CallFacts,
  type DetectEvent,
  type Detector,
  type DetectorState,
  type Raise,
} from './detector.ts';
import { describeDrip, describeSpike, describeVolume } from './exfil-words.ts';
import { itemHash } from './learning/item-hash.ts';
import { addItem, type KnownItems } from './learning/known-items.ts';
import { addSize, p99Bytes, sizeBucket } from './learning/size-sketch.ts';
import { sizesOf, type ToolSizes } from './learning/tool-sizes.ts';

type Side = 'arguments' | 'result';

interface ExfilTenant {
  readonly tools: Map<number, ToolSizes>;
  readonly actions: Map<ActionClass, ToolSizes>;
  /** Destinations by hash, with the number of sessions that used them. */
  readonly destinations: KnownItems;
}

export interface Spike {
  readonly toolKey: string;
  readonly side: Side;
  readonly bytes: number;
  readonly p99: number;
  /** The 99th percentile is of all tools that do such things: too little is known of this one. */
  readonly isPooled: boolean;
  readonly callIndex: number;
  readonly eventId: string;
  readonly inbound: boolean;
}

/** What went to one destination in this session. */
export interface Sent {
  readonly destination: string;
  readonly firstSeen: boolean;
  bytes: number;
  calls: number;
  lastCallIndex: number;
  readonly firstEventId: string;
  lastEventId: string;
}

interface ExfilSession {
  /** What it will teach when it closes. */
  readonly sizes: { tool: number; action: ActionClass; side: Side; bucket: number }[];
  readonly contacts: { destination: number; callIndex: number; tool: number; action: ActionClass }[];
  readonly spikes: Spike[];
  /** By destination hash; made with the first. */
  sent: Map<number, Sent> | undefined;
}

type State = DetectorState<ExfilTenant, ExfilSession>;

const maxTools = 1024;
const maxDestinations = 8192;
const maxSizes = 128;
const maxActions = 8;
const maxContacts = 256;
const maxSent = 64;
const maxSpikes = 4;
/** A spike and the send that follows it belong together within this many calls. */
const windowCalls = 5;
/** A send this big can carry what was read; a smaller one counts when the tool hardly ever meets new destinations. */
const carryingBytes = 1536;
const rareContactShare = 0.15;
const dripCalls = 10;
const dripBytes = 16 * 1024;

/** A size far above the tool's own baseline that goes, or is followed by a send, to a destination never seen before. */
export function exfilSpike(config: DetectConfig['exfil']): Detector<ExfilTenant, ExfilSession> {
  return {
    id: 'exfil-spike',
    version: 2,
    kinds: ['tool_call', 'api_call'],
    newTenantState: () => ({ tools: new Map(), actions: new Map(), destinations: new Map() }),
    newSessionState: () => ({ sizes: [], contacts: [], spikes: [], sent: undefined }),

    step(detected, state, raise) {
      const { call, fresh } = detected;
      if (call === undefined) return;
      if (detected.decision === 'deny') {
        forgetContacts(call, state.session);
        return;
      }
      noteSpikes(config, detected, call, state);
      if (fresh.destinations.length > 0 || fresh.argumentsSize || fresh.resultSize)
        judgeSends(detected, call, state, config, raise);
      takeIn(detected, call, state.session);
    },

    learn({ tenant, session }) {
      for (const { tool, action, side, bucket } of session.sizes) {
        addSize(sizesOf(tenant.tools, tool, maxTools)[side], bucket);
        addSize(sizesOf(tenant.actions, action, maxActions)[side], bucket);
      }
      learnContacts(tenant, session);
    },

    status(tenant) {
      let seen = 0;
      for (const sizes of tenant.actions.values())
        seen = Math.max(seen, sizes.arguments.count, sizes.result.count);
      return { learning: seen < config.learning_calls, seen };
    },
  };
}

/** A refused call may have been told as a request before: it went nowhere. */
function forgetContacts({ index }: CallFacts, { contacts }: ExfilSession): void {
  for (let at = contacts.length - 1; at >= 0; at -= 1)
    if (contacts[at]?.callIndex === index) contacts.splice(at, 1);
}

function noteSpikes(
  config: DetectConfig['exfil'],
  { event, fresh }: DetectEvent,
  call: CallFacts,
  { tenant, session }: State,
): void {
  const told = {
    arguments: fresh.argumentsSize ? (call.argumentsBytes ?? 0) : 0,
    result: fresh.resultSize ? (call.resultBytes ?? 0) : 0,
  };
  if (Math.max(told.arguments, told.result) < Math.max(1, config.spike_min_bytes)) return;
  for (const side of ['arguments', 'result'] as const) {
    const bytes = told[side];
    if (bytes < Math.max(1, config.spike_min_bytes)) continue;
    const ofTool = tenant.tools.get(call.toolHash);
    const ofAction = tenant.actions.get(call.action);
    const own = ofTool && p99Bytes(ofTool[side], config.learning_calls);
    const p99 = own ?? (ofAction && p99Bytes(ofAction[side], config.learning_calls));
    if (p99 === undefined || bytes <= config.spike_ratio * Math.max(1, p99)) continue;
    const inbound = side === 'result' && call.action === 'egress' && call.destinations.length > 0;
    session.spikes.push({
      toolKey: call.toolKey,
      side,
      bytes,
      p99,
      isPooled: own === undefined,
      callIndex: call.index,
      eventId: event.event_id,
      inbound,
    });
    if (session.spikes.length > maxSpikes) session.spikes.shift();
  }
}

function judgeSends(
  detected: DetectEvent,
  call: CallFacts,
  state: State,
  config: DetectConfig['exfil'],
  raise: Raise,
): void {
  if (!isConsequential(call.action) && call.action !== 'unknown') return;
  const { tenant, session } = state;
  const bytes = call.argumentsBytes ?? 0;
  if (call.destinations.length === 0) return;
  const fresh = detected.fresh.destinations;
  const candidates = session.spikes.filter(({ callIndex }) => call.index - callIndex <= windowCalls);
  for (const destination of call.destinations) {
    const hash = itemHash(destination);
    const firstSeen = !tenant.destinations.has(hash);
    const sent = count(session, hash, destination, firstSeen, detected, call, {
      bytes: fresh.includes(destination) || detected.fresh.argumentsSize ? bytes : 0,
      calls: fresh.includes(destination) ? 1 : 0,
    });
    if (firstSeen) {
      const carried = candidates.filter((candidate) => carries(candidate, call, tenant));
      const spike = carried.reduce<Spike | undefined>(
        (largest, candidate) => (candidate.bytes > (largest?.bytes ?? 0) ? candidate : largest),
        undefined,
      );
      if (spike !== undefined) raise(describeSpike(spike, call, destination, detected.decision));
    }
    if (sent === undefined) continue;
    if (sent.bytes > config.session_volume_bytes) raise(describeVolume(sent, config.session_volume_bytes));
    else if (sent.firstSeen && sent.calls >= dripCalls && sent.bytes >= dripBytes)
      raise(describeDrip(sent, dripCalls, dripBytes));
  }
}

/**
 * The spike went out with this call: its own arguments are the spike; or an earlier result (or a result of this very
 * call, where it is no page that came in) was followed by a call that is big enough to carry it, or that is made with a
 * tool whose destinations are nearly always known ones.
 */
function carries(spike: Spike, call: CallFacts, tenant: ExfilTenant): boolean {
  const isSame = spike.callIndex === call.index;
  if (isSame && spike.side === 'arguments') return true;
  if (isSame && spike.inbound && opensPages(call.tool)) return false;
  if ((call.argumentsBytes ?? 0) >= carryingBytes && !(isSame && spike.inbound)) return true;
  if (spike.inbound && !isSame) return false;
  const sizes = contactsOf(tenant, call);
  return sizes !== undefined && (sizes.firstContacts + 1) / (sizes.sends + 2) < rareContactShare;
}

function contactsOf(tenant: ExfilTenant, call: CallFacts): ToolSizes | undefined {
  const own = tenant.tools.get(call.toolHash);
  return own !== undefined && own.sends >= 5 ? own : tenant.actions.get(call.action);
}

function count(
  session: ExfilSession,
  hash: number,
  destination: string,
  firstSeen: boolean,
  { event }: DetectEvent,
  call: CallFacts,
  added: { bytes: number; calls: number },
): Sent | undefined {
  const all = (session.sent ??= new Map<number, Sent>());
  let sent = all.get(hash);
  if (sent === undefined) {
    if (all.size >= maxSent) return undefined;
    sent = {
      destination,
      firstSeen,
      bytes: 0,
      calls: 0,
      lastCallIndex: call.index,
      firstEventId: event.event_id,
      lastEventId: event.event_id,
    };
    all.set(hash, sent);
  }
  sent.bytes += added.bytes;
  sent.calls += added.calls;
  sent.lastCallIndex = call.index;
  sent.lastEventId = event.event_id;
  return sent;
}

/** Keeps what the call shows for when the session closes. */
function takeIn({ fresh }: DetectEvent, call: CallFacts, { sizes, contacts }: ExfilSession): void {
  const { toolHash: tool, action } = call;
  const take = (side: Side, bytes: number) => {
    if (sizes.length < maxSizes) sizes.push({ tool, action, side, bucket: sizeBucket(bytes) });
  };
  if (fresh.argumentsSize) take('arguments', call.argumentsBytes ?? 0);
  if (fresh.resultSize) take('result', call.resultBytes ?? 0);
  for (const name of fresh.destinations)
    if (contacts.length < maxContacts)
      contacts.push({ destination: itemHash(name), callIndex: call.index, tool, action });
}

/** Counts calls with destinations, those of them to a new one, and the destinations once a session. */
function learnContacts({ tools, actions, destinations }: ExfilTenant, { contacts }: ExfilSession): void {
  if (contacts.length === 0) return;
  const calls = new Map<number, { tool: number; action: ActionClass; isFirst: boolean }>();
  for (const { destination, callIndex, tool, action } of contacts) {
    const isFirst = !destinations.has(destination) || calls.get(callIndex)?.isFirst === true;
    calls.set(callIndex, { tool, action, isFirst });
  }
  for (const { tool, action, isFirst } of calls.values()) {
    for (const known of [sizesOf(tools, tool, maxTools), sizesOf(actions, action, maxActions)]) {
      known.sends += 1;
      if (isFirst) known.firstContacts += 1;
    }
  }
  for (const destination of new Set(contacts.map((contact) => contact.destination)))
    addItem(destinations, destination, maxDestinations);
}
