import { addSize, newSizeSketch, sizeBucket, type SizeSketch } from '../learning/size-sketch.ts';
import { addDecayed, decayedAt, newDecayedTotal, type DecayedTotal } from './decayed-total.ts';
import { keptEntry } from './kept-entry.ts';
import { sketchQuantile } from './sketch-quantile.ts';

/** Who usually speaks, and how often. */
export interface Silence {
  readonly speakers: Map<string, Speaker>;
  /** All that was said by anybody. */
  total: number;
  nowMs: number;
  checkedMs: number;
}

interface Speaker {
  lastMs: number;
  readonly firstMs: number;
  lastEventId: string;
  /** `total` when it last spoke. */
  lastTotal: number;
  readonly day: DecayedTotal;
  /** Seconds between two words of it, and words of others between them. */
  readonly gapsSec: SizeSketch;
  readonly others: SizeSketch;
  isSilent: boolean;
}

/** Somebody has stopped while others go on. */
export interface Silent {
  readonly name: string;
  readonly eventId: string;
  readonly silentMs: number;
  readonly usualGapMs: number;
  readonly othersSince: number;
  readonly usualOthers: number;
  readonly perDay: number;
}

export interface SilenceLimits {
  readonly perDay: number;
  readonly ratio: number;
  readonly leastMs: number;
}

const maxSpeakers = 128;
const dayMs = 24 * 3_600_000;
const checkEveryMs = 60_000;
/** Gaps that make a habit. */
const gapsMin = 40;

export function newSilence(): Silence {
  return { speakers: new Map(), total: 0, nowMs: 0, checkedMs: 0 };
}

export function noteTraffic(silence: Silence, name: string, timeMs: number, eventId: string): void {
  silence.total += 1;
  silence.nowMs = Math.max(silence.nowMs, timeMs);
  const { nowMs } = silence;
  const speaker = keptEntry(
    silence.speakers,
    name,
    maxSpeakers,
    () => ({
      lastMs: nowMs,
      firstMs: nowMs,
      lastEventId: eventId,
      lastTotal: silence.total,
      day: newDecayedTotal(),
      gapsSec: newSizeSketch(),
      others: newSizeSketch(),
      isSilent: false,
    }),
    ({ gapsSec }) => gapsSec.count >= gapsMin,
  );
  addSize(speaker.gapsSec, sizeBucket(Math.floor((nowMs - speaker.lastMs) / 1000)));
  addSize(speaker.others, sizeBucket(silence.total - speaker.lastTotal));
  addDecayed(speaker.day, 1, nowMs, dayMs);
  speaker.lastMs = nowMs;
  speaker.lastEventId = eventId;
  speaker.lastTotal = silence.total;
  speaker.isSilent = false;
}

/**
 * Who is silent for longer than ever, both by the clock and by what others said since: nights, weekends and other work are no
 * silence of one. Each is told once, until it speaks again. Looks once a minute of stream time.
 */
export function judgeSilence(silence: Silence, timeMs: number, limits: SilenceLimits): Silent[] {
  silence.nowMs = Math.max(silence.nowMs, timeMs);
  if (silence.nowMs - silence.checkedMs < checkEveryMs) return [];
  silence.checkedMs = silence.nowMs;
  const found: Silent[] = [];
  for (const [name, speaker] of silence.speakers) {
    const silentMs = silence.nowMs - speaker.lastMs;
    if (silentMs < limits.leastMs || speaker.isSilent || speaker.gapsSec.count < gapsMin) continue;
    const usualGapMs = 1000 * Math.max(1, sketchQuantile(speaker.gapsSec, 990));
    const usualOthers = Math.max(1, sketchQuantile(speaker.others, 990));
    const othersSince = silence.total - speaker.lastTotal;
    if (silentMs < limits.ratio * usualGapMs || othersSince < limits.ratio * usualOthers) continue;
    const days = Math.max(1, Math.ceil((speaker.lastMs - speaker.firstMs) / dayMs));
    // The sum halves each day, so it holds about two days of a steady rate.
    const held = decayedAt(speaker.day, speaker.lastMs, dayMs);
    const perDay = days === 1 ? held : Math.ceil(held / 2);
    if (perDay < limits.perDay) continue;
    speaker.isSilent = true;
    found.push({
      name,
      eventId: speaker.lastEventId,
      silentMs,
      usualGapMs,
      othersSince,
      usualOthers,
      perDay,
    });
  }
  return found;
}
