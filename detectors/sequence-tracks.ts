/**
 * Sequence numbers of one source, possibly of several instances that count side by side: each is a track. Numbers may come in any
 * order within a short reach; what is missing for longer is a hole.
 */
export interface Tracks {
  readonly tracks: Track[];
  /** Until then there are more instances than tracks, and nothing is said. */
  crowdedUntilMs: number;
}

interface Track {
  next: number;
  seen: number;
  /** Holes that were never filled. */
  gaps: number;
  readonly holes: Hole[];
  lastMs: number;
  lastEventId: string;
}

/** Numbers from `from` to `to` have not come. */
export interface Hole {
  from: number;
  to: number;
  readonly sinceMs: number;
  /** Before and after it. */
  readonly beforeId: string;
  readonly afterId: string;
  /** How many numbers of the track had come before it opened. */
  readonly seenBefore: number;
}

const maxTracks = 8;
const maxHoles = 16;
/** How far behind a number may come and still belong to the track. */
const reach = 64;
const activeMs = 10 * 60_000;
const crowdedForMs = 3_600_000;
/** Numbers that came without a hole for each hole that is told: who leaves out numbers as a habit does not count. */
const seenPerGap = 10;

export function newTracks(): Tracks {
  return { tracks: [], crowdedUntilMs: 0 };
}

export function noteSequence(all: Tracks, number: number, nowMs: number, eventId: string): void {
  const { tracks } = all;
  const track =
    tracks.find(({ next }) => next === number) ??
    tracks.find(({ holes }) => holes.some(({ from, to }) => from <= number && number <= to)) ??
    trackAhead(tracks, number);
  if (track === undefined) {
    if (!isRepeat(tracks, number)) openTrack(all, number, nowMs, eventId);
    return;
  }
  if (number < track.next) fill(track, number);
  else {
    if (number > track.next) openHole(track, number, nowMs, eventId);
    track.next = number + 1;
    track.lastEventId = eventId;
  }
  track.seen += 1;
  track.lastMs = nowMs;
}

/** The nearest track below, where the number does not begin a new one. */
function trackAhead(tracks: readonly Track[], number: number): Track | undefined {
  if (number <= 1) return undefined;
  let nearest: Track | undefined;
  for (const track of tracks)
    if (track.next < number && (nearest === undefined || track.next > nearest.next)) nearest = track;
  return nearest;
}

/** A number that has come before, or came too late for its hole. */
function isRepeat(tracks: readonly Track[], number: number): boolean {
  return number > 1 && tracks.some(({ next }) => number < next && next - number <= reach);
}

function openTrack(all: Tracks, number: number, nowMs: number, eventId: string): void {
  const { tracks } = all;
  if (tracks.length >= maxTracks) {
    let oldest = 0;
    tracks.forEach(({ lastMs }, index) => {
      if (lastMs < (tracks[oldest]?.lastMs ?? 0)) oldest = index;
    });
    const [dropped] = tracks.splice(oldest, 1);
    if (dropped !== undefined && nowMs - dropped.lastMs < activeMs) all.crowdedUntilMs = nowMs + crowdedForMs;
  }
  tracks.push({ next: number + 1, seen: 1, gaps: 0, holes: [], lastMs: nowMs, lastEventId: eventId });
}

function openHole(track: Track, number: number, nowMs: number, eventId: string): void {
  track.holes.push({
    from: track.next,
    to: number - 1,
    sinceMs: nowMs,
    beforeId: track.lastEventId,
    afterId: eventId,
    seenBefore: track.seen,
  });
  track.gaps += 1;
  if (track.holes.length > maxHoles) track.holes.shift();
}

function fill(track: Track, number: number): void {
  const index = track.holes.findIndex(({ from, to }) => from <= number && number <= to);
  const hole = track.holes[index];
  if (hole === undefined) return;
  if (hole.from === hole.to) {
    track.holes.splice(index, 1);
    if (!track.holes.some(({ afterId }) => afterId === hole.afterId)) track.gaps -= 1;
  } else if (number === hole.from) hole.from += 1;
  else if (number === hole.to) hole.to -= 1;
  else {
    track.holes.splice(index + 1, 0, { ...hole, from: number + 1 });
    hole.to = number - 1;
    if (track.holes.length > maxHoles) track.holes.shift();
  }
}

/** Holes that have been open for longer than that, each once. `seenMin`: numbers of a track that make it one. */
export function lastingHoles(all: Tracks, nowMs: number, afterMs: number, seenMin: number): Hole[] {
  const found: Hole[] = [];
  for (const track of all.tracks) {
    while (track.holes[0] !== undefined && nowMs - track.holes[0].sinceMs > afterMs) {
      const hole = track.holes.shift();
      if (hole === undefined) break;
      const isHabit = hole.seenBefore < seenMin || track.seen < seenPerGap * (track.gaps - 1);
      if (!isHabit && nowMs >= all.crowdedUntilMs) found.push(hole);
    }
  }
  return found;
}
