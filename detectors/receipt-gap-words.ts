import type { Finding } from './detector.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

export type MissingHalf = 'outcome' | 'decision';

/** What a gap is about; names come from outside. */
export interface Gap {
  readonly missing: MissingHalf;
  readonly eventId: string;
  readonly sessionKey: string | undefined;
  readonly traceId: string | undefined;
  readonly actorId: string | undefined;
  readonly userId: string | undefined;
  readonly serverName: string | undefined;
  readonly toolName: string | undefined;
}

const titles: Readonly<Record<MissingHalf, string>> = {
  outcome: 'Allowed, and no outcome seen',
  decision: 'Executed, and no decision seen',
};

/** The finding in words: of `total` calls of the server, `whole` had both halves. */
export function describeGap(gap: Gap, whole: number, total: number, withinMs: number): Finding {
  const { missing, eventId, ...about } = gap;
  const tool = gap.toolName === undefined ? 'a tool' : shown(gap.toolName, 200);
  const server = gap.serverName === undefined ? '' : ` of ${shown(gap.serverName, 200)}`;
  const minutes = `${Math.round(withinMs / 6000) / 10} min`;
  const observed =
    missing === 'outcome'
      ? `a call of ${tool}${server} was allowed, and no outcome came within ${minutes}`
      : `a call of ${tool}${server} was executed, and no policy decision came within ${minutes}`;
  const share = Math.floor((1000 * whole) / total) / 10;
  const normal =
    missing === 'outcome'
      ? `${share} % of ${Math.round(total)} allowed calls here had an outcome`
      : `${share} % of ${Math.round(total)} executed calls here had a decision`;
  return {
    title: titles[missing],
    severity: missing === 'outcome' ? 'low' : 'medium',
    score: whole / total,
    reason: `In the session, ${observed}; normal is that ${normal}.`,
    observed,
    normal,
    distance: missing === 'outcome' ? 'the outcome is missing' : 'the decision is missing',
    dedupKey: `${missing} ${eventId}`,
    evidence: [eventId],
    about: {
      sessionKey: about.sessionKey,
      traceId: about.traceId,
      actorId: about.actorId,
      userId: about.userId,
      serverName: about.serverName,
      toolName: about.toolName,
      decision: missing === 'outcome' ? 'allow' : undefined,
    },
    references: references['receipt-gap'],
  };
}
