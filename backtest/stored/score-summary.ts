import type { ScoreProbe } from '../../detectors/detector.ts';

/** Scores of all calls, and of labelled sessions the highest: what plots and the ROC are made of. */
export interface ScoreSummary {
  /** How many scores fell into each fiftieth of [0, 1]. */
  readonly histogram: number[];
  /** Highest score by session, of the sessions that labels name. */
  readonly sessions: Map<string, number>;
}

export const SCORE_BUCKETS = 50;

export function newScoreSummary(): ScoreSummary {
  return { histogram: new Array<number>(SCORE_BUCKETS).fill(0), sessions: new Map() };
}

/** Takes each score; `wanted` are the sessions labels name. */
export function scoreSummaryProbe(summary: ScoreSummary, wanted: ReadonlySet<string>): ScoreProbe {
  return ({ sessionKey, score }) => {
    const bucket = scoreBucket(score);
    summary.histogram[bucket] = (summary.histogram[bucket] ?? 0) + 1;
    if (!wanted.has(sessionKey)) return;
    if (score > (summary.sessions.get(sessionKey) ?? 0)) summary.sessions.set(sessionKey, score);
  };
}

export function scoreBucket(score: number): number {
  return Math.min(SCORE_BUCKETS - 1, Math.max(0, Math.floor(score * SCORE_BUCKETS)));
}

export function addScores(into: ScoreSummary, more: ScoreSummary): void {
  for (const [bucket, count] of more.histogram.entries())
    into.histogram[bucket] = (into.histogram[bucket] ?? 0) + count;
  for (const [session, score] of more.sessions)
    if (score > (into.sessions.get(session) ?? 0)) into.sessions.set(session, score);
}
