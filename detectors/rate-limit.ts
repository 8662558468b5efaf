import type { DetectConfig } from '../schemas/config.ts';
import { aboutSystem } from './about-system.ts';
import { addDistinct, keptEntry } from './counters/kept-entry.ts';
import { addTime, clearTimes, newRecentTimes, type RecentTimes } from './counters/recent-times.ts';
import { sketchQuantile } from './counters/sketch-quantile.ts';
import type { DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { addSize, newSizeSketch, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

/** Calls of one actor within ten seconds. */
interface Burst {
  slot: number;
  calls: number;
  readonly eventIds: string[];
}

interface RateTenant {
  readonly hits: Map<number, RecentTimes>;
  readonly bursts: Map<number, Burst>;
  /** Most calls within ten seconds, of each learned session. */
  readonly usual: SizeSketch;
  /** Agents that a rate limit has met before. */
  readonly met: Map<number, true>;
}

interface RateSession {
  slot: number;
  calls: number;
  most: number;
}

const slotMs = 10_000;
const maxKeys = 512;
const maxEvidence = 8;
const maxBurstIds = 4;

/** Rate limits are hit again and again, or one actor calls far faster than agents here do. */
export function rateLimit(config: DetectConfig['rate_limit']): Detector<RateTenant, RateSession> {
  return {
    id: 'rate-limit',
    version: 1,
    kinds: ['tool_call', 'mcp_message', 'api_call'],
    newTenantState: () => ({ hits: new Map(), bursts: new Map(), usual: newSizeSketch(), met: new Map() }),
    newSessionState: () => ({ slot: -1, calls: 0, most: 0 }),

    step(detected, { tenant, session }, raise) {
      const { call, fresh, event } = detected;
      if (call !== undefined && fresh.call) countCall(config, tenant, session, detected, raise);
      const isHit =
        event.kind === 'tool_call'
          ? fresh.outcome && call?.category === 'rate_limited'
          : event.result?.category === 'rate_limited';
      if (isHit) countHit(config, tenant, detected, raise);
    },

    learn({ tenant, session }) {
      if (session.most > 0) addSize(tenant.usual, sizeBucket(session.most));
    },

    status: ({ usual }) => ({ learning: usual.count < config.learning_sessions, seen: usual.count }),
  };
}

function countHit(
  config: DetectConfig['rate_limit'],
  tenant: RateTenant,
  detected: DetectEvent,
  raise: Raise,
): void {
  const { event, call, actorKey, timeMs } = detected;
  const server = event.server?.name ?? call?.server;
  const tool = event.tool?.name ?? call?.tool;
  const who = event.client?.name ?? actorKey;
  const actor = itemHash(`actor ${actorKey}`);
  if (!tenant.met.has(actor)) raise(describeFirst(actorKey, tool));
  keptEntry(tenant.met, actor, maxKeys, () => true as const);

  const by = (key: string) => keptEntry(tenant.hits, itemHash(key), maxKeys, newRecentTimes);
  const byClient = by(`client ${who}`);
  const tookMs = addTime(byClient, timeMs, event.event_id, config.hits);
  if (tookMs !== undefined && tookMs <= config.within_ms) {
    raise(describeStorm(`client ${shown(who)}`, config, tookMs, byClient, undefined));
    clearTimes(byClient);
  }
  if (tool === undefined) return;
  const toolKey = server === undefined ? tool : `${server}/${tool}`;
  const byTool = by(`tool ${toolKey}`);
  const tookToolMs = addTime(byTool, timeMs, event.event_id, config.hits);
  if (tookToolMs === undefined || tookToolMs > config.within_ms) return;
  // The same refusals of the same client are told once.
  if (tookMs === undefined || tookMs > config.within_ms)
    raise(
      describeStorm(`tool ${shown(toolKey, 120)}`, config, tookToolMs, byTool, aboutSystem(server, tool)),
    );
  clearTimes(byTool);
}

function countCall(
  config: DetectConfig['rate_limit'],
  tenant: RateTenant,
  session: RateSession,
  { event, actorKey, timeMs }: DetectEvent,
  raise: Raise,
): void {
  const slot = Math.floor(timeMs / slotMs);
  if (session.slot !== slot) {
    session.slot = slot;
    session.calls = 0;
  }
  session.calls += 1;
  session.most = Math.max(session.most, session.calls);

  const burst = keptEntry(tenant.bursts, itemHash(actorKey), maxKeys, newBurst);
  if (burst.slot !== slot) {
    burst.slot = slot;
    burst.calls = 0;
    burst.eventIds.length = 0;
  }
  burst.calls += 1;
  addDistinct(burst.eventIds, event.event_id, maxBurstIds);
  const isKnown = tenant.usual.count >= config.learning_sessions;
  const usual = isKnown ? sketchQuantile(tenant.usual, 990) : 0;
  // While nobody knows what is usual here, only what no person and hardly any agent does.
  const limit = isKnown
    ? Math.max(config.burst_calls, config.burst_ratio * usual)
    : config.burst_calls * config.burst_ratio;
  if (burst.calls === limit) raise(describeBurst(actorKey, burst, isKnown ? usual : undefined, limit));
}

function newBurst(): Burst {
  return { slot: -1, calls: 0, eventIds: [] };
}

function describeFirst(actor: string, tool: string | undefined): Finding {
  const observed = `${shown(actor)} was refused by a rate limit${tool === undefined || tool === '' ? '' : ` at ${shown(tool)}`}`;
  return {
    title: 'First rate limit of an agent',
    severity: 'info',
    score: 0.2,
    reason: `${observed}, for the first time.`,
    observed,
    normal: 'it was never refused before',
    distance: 'first time',
    dedupKey: `first ${actor}`,
    references: references['rate-limit'],
  };
}

function describeStorm(
  who: string,
  { hits, within_ms: withinMs }: DetectConfig['rate_limit'],
  tookMs: number,
  recent: RecentTimes,
  about: Finding['about'],
): Finding {
  const observed = `${hits} refusals by rate limits in ${Math.ceil(tookMs / 1000)} s at ${who}`;
  return {
    title: 'Storm of rate-limit refusals',
    severity: 'medium',
    score: 0.7,
    reason: `${observed}; normal is fewer than ${hits} in ${withinMs / 1000} s. It does not slow down when told to.`,
    observed,
    normal: `fewer than ${hits} in ${withinMs / 1000} s`,
    distance: `${(withinMs / Math.max(1000, tookMs)).toFixed(1)} times the rate allowed`,
    dedupKey: `storm ${who}`,
    evidence: recent.eventIds.slice(-maxEvidence),
    ...(about === undefined ? {} : { about }),
    references: references['rate-limit'],
  };
}

function describeBurst(actor: string, burst: Burst, usual: number | undefined, limit: number): Finding {
  const observed = `${burst.calls} calls of ${shown(actor)} within 10 s`;
  const normal =
    usual === undefined
      ? `fewer than ${limit} within 10 s`
      : `99 of 100 sessions here stay below ${usual} within 10 s`;
  return {
    title: 'Burst of calls',
    severity: 'medium',
    score: 0.6,
    reason: `${observed}; normal is that ${normal}.`,
    observed,
    normal,
    distance:
      usual === undefined || usual === 0 ? 'at the limit' : `${(burst.calls / usual).toFixed(1)} times`,
    dedupKey: `burst ${actor}`,
    evidence: burst.eventIds,
    references: references['rate-limit'],
  };
}
