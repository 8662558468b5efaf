import type { DetectConfig } from '../schemas/config.ts';
import { describeAttribution, describeHole, describeSilentSource } from './audit-blindness-words.ts';
import { judgeClock, judgeSampling, sourceOf, type Sources } from './blindness-source.ts';
import {
  judgeViews,
  learnViews,
  newViewSession,
  newViewTenant,
  noteView,
  type ViewSession,
  type ViewTenant,
} from './blindness-views.ts';
import { judgeSilence, newSilence, noteTraffic, type Silence } from './counters/silence.ts';
import type { DetectEvent, Detector, Raise } from './detector.ts';
import { lastingHoles, noteSequence } from './sequence-tracks.ts';

interface Share {
  part: number;
  total: number;
}

interface BlindTenant {
  nowMs: number;
  checkedMs: number;
  readonly sources: Sources;
  readonly paths: Silence;
  readonly views: ViewTenant;
  /** 1 for a call with agent and user, 0 for one without. */
  readonly attributed: number[];
  attributedCount: number;
  isUnattributed: boolean;
  /** Of closed sessions without an open alert: calls with agent and user, records marked as not sampled. */
  readonly usualAttribution: Share;
  readonly usualUnsampled: Share;
}

interface BlindSession {
  readonly views: ViewSession;
  readonly attribution: Share;
  readonly unsampled: Share;
}

const attributionWindow = 200;
const attributionMin = 50;
const checkEveryMs = 10_000;
const shareMemory = 4096;
/** Our own tap counts from 0 and leaves nothing out. */
const ownSeenMin = 1;
const otherSeenMin = 10;

/**
 * What should be told is not: numbers missing, a source silent, calls without a name, clocks that are wrong, records left out. Rates
 * and counters of sources change as records come; what share of calls is told how is learned at the close of good sessions.
 */
export function auditBlindness(config: DetectConfig['audit_blindness']): Detector<BlindTenant, BlindSession> {
  return {
    id: 'audit-blindness',
    version: 1,
    newTenantState: () => ({
      nowMs: 0,
      checkedMs: 0,
      sources: new Map(),
      paths: newSilence(),
      views: newViewTenant(),
      attributed: [],
      attributedCount: 0,
      isUnattributed: false,
      usualAttribution: { part: 0, total: 0 },
      usualUnsampled: { part: 0, total: 0 },
    }),
    newSessionState: () => ({
      views: newViewSession(),
      attribution: { part: 0, total: 0 },
      unsampled: { part: 0, total: 0 },
    }),

    step(detected, { tenant, session }, raise) {
      const { event } = detected;
      tenant.nowMs = Math.max(tenant.nowMs, detected.timeMs);
      const source = sourceOf(tenant.sources, event);
      const number = Number(event.source.sequence ?? NaN);
      if (Number.isSafeInteger(number)) noteSequence(source.tracks, number, tenant.nowMs, event.event_id);
      judgeClock(config, source, event, raise);
      if (event.source.sampled !== undefined) {
        addShare(session.unsampled, !event.source.sampled);
        judgeSampling(config, source, event, percentOf(tenant.usualUnsampled, config.learning_calls), raise);
      }
      judgePaths(config, tenant, source.path, detected, raise);
      judgeAttribution(config, tenant, session, detected, raise);
      noteView(config, tenant.views, session.views, detected, tenant.nowMs);
      judgeViews(config, tenant.views, tenant.nowMs, raise);
      judgeHoles(config, tenant, raise);
    },

    learn({ tenant, session }) {
      learnShare(tenant.usualAttribution, session.attribution);
      learnShare(tenant.usualUnsampled, session.unsampled);
      learnViews(tenant.views, session.views);
    },

    status: ({ usualAttribution: { total } }) => ({ learning: total < config.learning_calls, seen: total }),
  };
}

/** Looks at all sources: time goes by for those that say nothing as well. */
function judgeHoles(config: DetectConfig['audit_blindness'], tenant: BlindTenant, raise: Raise): void {
  if (tenant.nowMs - tenant.checkedMs < checkEveryMs) return;
  tenant.checkedMs = tenant.nowMs;
  for (const { name, tracks } of tenant.sources.values()) {
    const seenMin = name.startsWith('mcp_stdio_tap') ? ownSeenMin : otherSeenMin;
    for (const hole of lastingHoles(tracks, tenant.nowMs, config.gap_after_ms, seenMin))
      raise(describeHole(name, hole, tenant.nowMs));
  }
}

function judgePaths(
  config: DetectConfig['audit_blindness'],
  tenant: BlindTenant,
  path: string,
  { event, timeMs }: DetectEvent,
  raise: Raise,
): void {
  noteTraffic(tenant.paths, path, timeMs, event.event_id);
  const limits = {
    perDay: config.silent_events_day,
    ratio: config.silent_ratio,
    leastMs: config.silent_min_ms,
  };
  for (const silent of judgeSilence(tenant.paths, timeMs, limits)) raise(describeSilentSource(silent));
}

function judgeAttribution(
  config: DetectConfig['audit_blindness'],
  tenant: BlindTenant,
  session: BlindSession,
  { event, fresh }: DetectEvent,
  raise: Raise,
): void {
  if (!fresh.call) return;
  const isAttributed = event.actor?.id !== undefined && event.actor.user_id !== undefined;
  addShare(session.attribution, isAttributed);
  tenant.attributed.push(isAttributed ? 1 : 0);
  if (isAttributed) tenant.attributedCount += 1;
  if (tenant.attributed.length > attributionWindow) tenant.attributedCount -= tenant.attributed.shift() ?? 0;
  const usual = percentOf(tenant.usualAttribution, config.learning_calls);
  if (usual === undefined || tenant.attributed.length < attributionMin) return;
  const total = tenant.attributed.length;
  const percent = Math.round((100 * tenant.attributedCount) / total);
  const isLow = percent <= usual - config.attribution_drop;
  if (isLow && !tenant.isUnattributed)
    raise(describeAttribution(percent, usual, total, tenant.usualAttribution.total));
  tenant.isUnattributed = isLow;
}

function addShare(share: Share, isPart: boolean): void {
  share.total += 1;
  if (isPart) share.part += 1;
}

function learnShare(usual: Share, { part, total }: Share): void {
  usual.part += part;
  usual.total += total;
  while (usual.total >= shareMemory) {
    usual.part = Math.floor(usual.part / 2);
    usual.total = Math.floor(usual.total / 2);
  }
}

/** In whole percent; `undefined` while too little is known. */
function percentOf({ part, total }: Share, least: number): number | undefined {
  return total < least ? undefined : Math.round((100 * part) / total);
}
