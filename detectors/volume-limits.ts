import type { DetectConfig } from '../schemas/config.ts';
import { decayedAt } from './counters/decayed-total.ts';
import type { CallFacts, ContactFacts, DetectEvent, Finding } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { references } from './references.ts';
import { peakDayBytes, usualDayBytes } from './volume-habits.ts';
import { outsideZone } from './volume-zone.ts';
import type { Sent, VolumeSession, VolumeTenant } from './volume.ts';
import { bytesText, shown, spanText } from './wording.ts';

type Tell = (key: string, finding: Finding) => void;

/** Times the fullest day of a known destination. */
const knownRatio = 8;
/** Days of good sessions after which a destination is known, however much it gets. */
const settledSessions = 3;

/** Many small sends to one destination: each is nothing special, their sum is. */
export function judgeDestination(
  config: DetectConfig['volume'],
  { timeMs }: DetectEvent,
  { destination, hash, origin, source }: ContactFacts,
  tenant: VolumeTenant,
  sent: Sent,
  isLearning: boolean,
  tell: Tell,
): void {
  const sends = decayedAt(sent.sends, timeMs, config.half_life_ms);
  const bytes = decayedAt(sent.bytes, timeMs, config.half_life_ms);
  if (sends < config.sends_min) return;
  const usualBytes = usualDayBytes(tenant, config.floor_bytes, config.known_destinations);
  const usual = tenant.usual.get(hash);
  const isSettled =
    usual !== undefined && usual.sessions >= settledSessions && timeMs - usual.firstMs > config.new_for_ms;
  const limit = isSettled ? Math.max(10 * usualBytes, knownRatio * peakDayBytes(usual)) : usualBytes;
  if (bytes <= limit) return;
  if (!isSettled && timeMs - sent.firstMs > config.new_for_ms && usual !== undefined) return;
  const isPlanted = origin === 'output' && source?.untrusted === true;
  const sessions = decayedAt(sent.sessions, timeMs, config.half_life_ms);
  const span = spanText(timeMs - sent.firstMs);
  const observed = `${sends} sends, ${bytesText(bytes)} ${isSettled ? 'within a day' : `in ${span}`} to ${shown(destination)}, from ${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  const normal = isSettled
    ? `at most ${bytesText(peakDayBytes(usual))} a day so far`
    : `at most ${bytesText(usualBytes)} a day to a new destination`;
  const where = isPlanted
    ? '; its name came from an untrusted output'
    : origin === 'none'
      ? '; nobody knows where its name came from'
      : '';
  tell(`destination ${hash}`, {
    title: isSettled ? 'Far more data than usual to a destination' : 'Many small sends to a new destination',
    // While nothing is known here everything is new; what a person asked for is hardly ever a leak.
    severity: isPlanted
      ? 'medium'
      : isLearning
        ? 'info'
        : isSettled || origin === 'prompt'
          ? 'low'
          : 'medium',
    score: bytes / (bytes + limit),
    reason: `${observed}${isSettled ? '' : `, first seen ${span} ago`}${where}; normal is ${normal}.`,
    observed,
    normal,
    distance: `${(bytes / Math.max(1, limit)).toFixed(1)} times the limit`,
    dedupKey: `destination ${destination}`,
    evidence: sent.eventIds,
    references: references.volume,
  });
}

/** Limits that need no history. */
export function judgeLimits(
  config: DetectConfig['volume'],
  detected: DetectEvent,
  call: CallFacts,
  tenant: VolumeTenant,
  session: VolumeSession,
  bytes: number,
  tell: Tell,
): void {
  const { timeMs, actorKey, session: facts } = detected;
  const leaves = call.destinations.length > 0 || call.action === 'egress' || call.traits.egress;
  if (leaves) {
    if (bytes > config.request_bytes)
      tell(
        `request ${call.eventId}`,
        overLimit('one call sent', bytes, config.request_bytes, 'request', [call.eventId]),
      );
    if (session.sentBytes > config.session_bytes)
      tell(
        `session ${facts.key}`,
        overLimit('the session sent', session.sentBytes, config.session_bytes, 'session', session.sentIds),
      );
    const actor = tenant.actors.get(itemHash(actorKey));
    const byActor = actor === undefined ? 0 : decayedAt(actor, timeMs, config.half_life_ms);
    if (byActor > config.window_bytes)
      tell(
        `actor ${actorKey}`,
        overLimit(
          `${shown(actorKey)} sent of late`,
          byActor,
          config.window_bytes,
          `actor ${actorKey}`,
          session.sentIds,
        ),
      );
    const zone = outsideZone(detected.registry, call);
    const total = zone === undefined ? undefined : tenant.zones.get(itemHash(zone));
    const intoZone = total === undefined ? 0 : decayedAt(total, timeMs, config.half_life_ms);
    if (zone !== undefined && intoZone > config.zone_bytes)
      tell(
        `zone ${zone}`,
        overLimit(
          `into zone ${shown(zone)} went of late`,
          intoZone,
          config.zone_bytes,
          `zone ${zone}`,
          session.sentIds,
        ),
      );
  }
  if (session.readItems > config.session_items)
    tell(`items ${facts.key}`, {
      ...overLimit('', session.readItems, config.session_items, 'items', session.readIds),
      title: 'Very many records read in one session',
      reason: `The session read ${session.readItems} records; the limit is ${config.session_items}.`,
      observed: `${session.readItems} records read in one session`,
      normal: `at most ${config.session_items} records`,
    });
}

function overLimit(
  who: string,
  amount: number,
  limit: number,
  dedupKey: string,
  evidence: readonly string[],
): Finding {
  const observed = `${who} ${bytesText(amount)}`;
  return {
    title: 'More data sent than allowed',
    severity: 'medium',
    score: amount / (amount + limit),
    reason: `In all, ${observed}; the limit is ${bytesText(limit)}.`,
    observed,
    normal: `at most ${bytesText(limit)}`,
    distance: `${(amount / limit).toFixed(1)} times the limit`,
    dedupKey,
    evidence,
    references: references.volume,
  };
}
