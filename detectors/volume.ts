import type { DetectConfig } from '../schemas/config.ts';
import { addDecayed, newDecayedTotal, type DecayedTotal } from './counters/decayed-total.ts';
import { addDistinct, keptEntry, pushBounded } from './counters/kept-entry.ts';
import { isNews, type ToldTimes } from './counters/told-times.ts';
import {
  isConsequential,
  type CallFacts,
  type ContactFacts,
  type DetectEvent,
  type Detector,
  type Finding,
} from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { newSizeSketch, type SizeSketch } from './learning/size-sketch.ts';
import { learnDestination, type UsualVolume } from './volume-habits.ts';
import { judgeDestination, judgeLimits } from './volume-limits.ts';
import { outsideZone } from './volume-zone.ts';

/** What was sent to one destination, by whomever: counters, for everybody. */
export interface Sent {
  readonly firstMs: number;
  readonly bytes: DecayedTotal;
  readonly sends: DecayedTotal;
  /** Sessions that sent, as a sum that halves. */
  readonly sessions: DecayedTotal;
  readonly eventIds: string[];
}

export interface VolumeTenant {
  readonly destinations: Map<number, Sent>;
  readonly actors: Map<number, DecayedTotal>;
  readonly zones: Map<number, DecayedTotal>;
  /** Learned from closed sessions without an open alert. */
  readonly usual: Map<number, UsualVolume>;
  /** The fullest day of each learned destination. */
  readonly days: SizeSketch;
  readonly told: ToldTimes;
  learnedSessions: number;
}

export interface SentHere {
  bytes: number;
  sends: number;
  lastMs: number;
}

export interface VolumeSession {
  /** Made with the first: most sessions send nothing out. */
  destinations: Map<number, SentHere> | undefined;
  sentBytes: number;
  readItems: number;
  readonly sentIds: string[];
  readonly readIds: string[];
  /** Calls of which something was counted: their observers tell it again. */
  readonly calls: Counted[];
}

interface Counted {
  readonly index: number;
  bytes: number;
  items: number;
}

const maxDestinations = 1024;
const maxActors = 1024;
const maxPerSession = 64;
const maxCalls = 16;
const maxEvidence = 8;
/** Asking for a page takes about this much; what a question holds beyond it may be cargo. */
const plainQuestionBytes = 256;
const learningSessions = 20;

/** More data goes out than usual: in one call, one session, one window, to one destination in small pieces, or into one zone. */
export function volume(config: DetectConfig['volume']): Detector<VolumeTenant, VolumeSession> {
  return {
    id: 'volume',
    version: 1,
    kinds: ['tool_call', 'api_call'],
    newTenantState: () => ({
      destinations: new Map(),
      actors: new Map(),
      zones: new Map(),
      usual: new Map(),
      days: newSizeSketch(),
      told: new Map(),
      learnedSessions: 0,
    }),
    newSessionState: () => ({
      destinations: undefined,
      sentBytes: 0,
      readItems: 0,
      sentIds: [],
      readIds: [],
      calls: [],
    }),

    step(detected, { tenant, session }, raise) {
      const { call } = detected;
      if (call === undefined || detected.decision === 'deny' || call.category === 'denied') return;
      countItems(detected, session, call);
      const bytes = cargoBytes(call);
      const before = session.calls.find(({ index }) => index === call.index)?.bytes ?? 0;
      if (bytes > before) {
        countedOf(session, call.index).bytes = bytes;
        countSent(config, detected, tenant, session, call, bytes);
      }
      const tell = (key: string, finding: Finding) => {
        if (isNews(tenant.told, key, detected.timeMs, config.half_life_ms)) raise(finding);
      };
      const isLearning = tenant.learnedSessions < learningSessions;
      for (const contact of newlyReached(detected, call, before, bytes)) {
        const sent = countDestination(config, detected, tenant, session, contact, bytes);
        judgeDestination(config, detected, contact, tenant, sent, isLearning, tell);
      }
      judgeLimits(config, detected, call, tenant, session, bytes, tell);
    },

    learn({ tenant, session }) {
      tenant.learnedSessions += 1;
      for (const [hash, { bytes, lastMs }] of session.destinations ?? [])
        learnDestination(tenant, hash, bytes, lastMs, config.half_life_ms);
    },

    status: ({ learnedSessions: seen }) => ({ learning: seen < learningSessions, seen }),
  };
}

/** What the call's arguments may carry out. */
function cargoBytes({ action, traits, argumentsBytes }: CallFacts): number {
  if (argumentsBytes === undefined) return 0;
  if (isConsequential(action) || traits.egress || traits.changesState) return argumentsBytes;
  return Math.max(0, argumentsBytes - plainQuestionBytes);
}

const noContacts: readonly ContactFacts[] = [];

/** Destinations that this event adds the call's bytes to. */
function newlyReached(
  { fresh, registry }: DetectEvent,
  { contacts, destinations }: CallFacts,
  before: number,
  bytes: number,
): readonly ContactFacts[] {
  if (bytes === 0 || destinations.length === 0) return noContacts;
  const all =
    bytes > before
      ? contacts
      : contacts.filter(({ destination }) => fresh.destinations.includes(destination));
  return all.filter(({ destination }) => {
    if (registry === undefined) return true;
    if (registry.allowsDestination(destination) === true) return false;
    const trust = registry.zoneOfDestination(destination)?.trust;
    return trust !== 'internal' && trust !== 'restricted';
  });
}

function countItems({ event }: DetectEvent, session: VolumeSession, call: CallFacts): void {
  if (event.item_count === undefined || isConsequential(call.action)) return;
  const counted = countedOf(session, call.index);
  if (event.item_count <= counted.items) return;
  session.readItems += event.item_count - counted.items;
  counted.items = event.item_count;
  addDistinct(session.readIds, event.event_id, maxEvidence);
}

/** Only calls that leave: a large write to our own store is no export. */
function countSent(
  { half_life_ms: halfLifeMs }: DetectConfig['volume'],
  { event, actorKey, timeMs, registry }: DetectEvent,
  tenant: VolumeTenant,
  session: VolumeSession,
  call: CallFacts,
  bytes: number,
): void {
  const leaves = call.destinations.length > 0 || call.action === 'egress' || call.traits.egress;
  if (!leaves) return;
  session.sentBytes += bytes;
  addDistinct(session.sentIds, event.event_id, maxEvidence);
  const actor = keptEntry(tenant.actors, itemHash(actorKey), maxActors, newDecayedTotal);
  addDecayed(actor, bytes, timeMs, halfLifeMs);
  const zone = outsideZone(registry, call);
  if (zone === undefined) return;
  addDecayed(keptEntry(tenant.zones, itemHash(zone), 256, newDecayedTotal), bytes, timeMs, halfLifeMs);
}

function countDestination(
  { half_life_ms: halfLifeMs }: DetectConfig['volume'],
  { event, timeMs }: DetectEvent,
  tenant: VolumeTenant,
  session: VolumeSession,
  { hash }: ContactFacts,
  bytes: number,
): Sent {
  const sent = keptEntry(
    tenant.destinations,
    hash,
    maxDestinations,
    () => ({
      firstMs: timeMs,
      bytes: newDecayedTotal(),
      sends: newDecayedTotal(),
      sessions: newDecayedTotal(),
      eventIds: [],
    }),
    ({ sends }) => sends.total > 1,
  );
  session.destinations ??= new Map();
  const isFirstHere = !session.destinations.has(hash);
  const here = keptEntry(session.destinations, hash, maxPerSession, () => ({
    bytes: 0,
    sends: 0,
    lastMs: timeMs,
  }));
  here.bytes += bytes;
  here.sends += 1;
  here.lastMs = Math.max(here.lastMs, timeMs);
  addDecayed(sent.bytes, bytes, timeMs, halfLifeMs);
  addDecayed(sent.sends, 1, timeMs, halfLifeMs);
  if (isFirstHere) addDecayed(sent.sessions, 1, timeMs, halfLifeMs);
  pushBounded(sent.eventIds, event.event_id, maxEvidence);
  return sent;
}

function countedOf({ calls }: VolumeSession, index: number): Counted {
  let counted = calls.find((call) => call.index === index);
  if (counted === undefined) {
    counted = { index, bytes: 0, items: 0 };
    pushBounded(calls, counted, maxCalls);
  }
  return counted;
}
