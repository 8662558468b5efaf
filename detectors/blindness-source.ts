import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { describeSampling, describeSkew } from './audit-blindness-words.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import type { Raise } from './detector.ts';
import { newTracks, type Tracks } from './sequence-tracks.ts';

/** One stream of records: what reads them, what wrote them, and where. */
export interface Source {
  readonly name: string;
  /** Kind of records, without the place: what is silent when a whole path is cut. */
  readonly path: string;
  readonly tracks: Tracks;
  /** What the collector's clock was ahead of the sender's, in ms, in the last records. */
  readonly offsetsMs: number[];
  readonly offsetIds: string[];
  isSkewed: boolean;
  /** 1 for a record that was marked as not sampled, 0 for one that was marked as sampled. */
  readonly unsampled: number[];
  isSampled: boolean;
}

export type Sources = Map<string, Source>;

const maxSources = 64;
const sampleWindow = 100;
const sampleMin = 50;
/** Records that were held up come late by different times; a wrong clock is off by the same time in each. */
const steadyMs = 60_000;
/** Older records are imported history. */
const importedMs = 24 * 3_600_000;

export function sourceOf(sources: Sources, event: CustodyEvent): Source {
  const { source, actor, receipt, server, client } = event;
  const instance = receipt?.issuer ?? actor?.runtime_id ?? '';
  // A tap is of one server and one client; other senders count over all they see.
  const place = source.collector === 'mcp_stdio_tap' ? `${server?.name ?? ''} ${client?.name ?? ''}` : '';
  const { collector, dialect, vantage, signal, scope = '' } = source;
  const name = `${collector} ${dialect} ${vantage} ${signal} ${scope} ${instance} ${place}`.trimEnd();
  return keptEntry(
    sources,
    name,
    maxSources,
    () => ({
      name,
      path: `${collector} ${dialect} ${vantage}`,
      tracks: newTracks(),
      offsetsMs: [],
      offsetIds: [],
      isSkewed: false,
      unsampled: [],
      isSampled: false,
    }),
    ({ tracks }) => tracks.tracks.length > 0,
  );
}

/** The sender's clock against the collector's. */
export function judgeClock(
  config: DetectConfig['audit_blindness'],
  source: Source,
  event: CustodyEvent,
  raise: Raise,
): void {
  const toldNano = event.end_time_unix_nano ?? event.time_unix_nano;
  const offsetMs = Number(event.observed_time_unix_nano.slice(0, -6)) - Number(toldNano.slice(0, -6));
  pushBounded(source.offsetsMs, offsetMs, config.skewed_events);
  pushBounded(source.offsetIds, event.event_id, Math.min(16, config.skewed_events));
  // Hardly ever: whatever the others are, they are not all skewed.
  if (Math.abs(offsetMs) <= config.skew_ms) {
    source.isSkewed = false;
    return;
  }
  if (source.offsetsMs.length < config.skewed_events) return;
  const least = Math.min(...source.offsetsMs);
  const most = Math.max(...source.offsetsMs);
  const isAhead = most < -config.skew_ms;
  const isBehind = least > config.skew_ms && least < importedMs && most - least <= steadyMs;
  if ((isAhead || isBehind) && !source.isSkewed)
    raise(
      describeSkew(
        source.name,
        isAhead,
        isAhead ? -most : least,
        config.skew_ms,
        source.offsetsMs.length,
        source.offsetIds,
      ),
    );
  source.isSkewed = isAhead || isBehind;
}

/** Records marked as left out by sampling become many: whoever looks at traces sees only a part of them. */
export function judgeSampling(
  config: DetectConfig['audit_blindness'],
  source: Source,
  event: CustodyEvent,
  usualPercent: number | undefined,
  raise: Raise,
): void {
  const { sampled } = event.source;
  if (sampled === undefined) return;
  pushBounded(source.unsampled, sampled ? 0 : 1, sampleWindow);
  if (source.unsampled.length < sampleMin || usualPercent === undefined) return;
  const percent = Math.round(
    (100 * source.unsampled.reduce((sum, one) => sum + one, 0)) / source.unsampled.length,
  );
  const isHigh = percent >= usualPercent + config.attribution_drop;
  if (isHigh && !source.isSampled)
    raise(describeSampling(source.name, percent, usualPercent, source.unsampled.length));
  source.isSampled = isHigh;
}
