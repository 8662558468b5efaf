import type { CallFacts, Finding } from './detector.ts';
import type { Known } from './first-seen.ts';
import { accessReferences } from './references-access.ts';
import { shown } from './wording.ts';

/** A first use, and what was known before it. */
export interface First {
  readonly kind: 'tool' | 'actor-of-tool' | 'actor';
  readonly severity: Finding['severity'];
  readonly actorKey: string;
  readonly actor: Known | undefined;
  readonly tool: Known | undefined;
  /** Of the tenant. */
  readonly sessions: number;
}

const titles: Readonly<Record<First['kind'], string>> = {
  tool: 'Tool this actor never used',
  'actor-of-tool': 'Actor that never used this tool',
  actor: 'Actor never seen',
};

const scores: Readonly<Record<Finding['severity'], number>> = {
  info: 0.1,
  low: 0.3,
  medium: 0.6,
  high: 0.8,
  critical: 0.9,
};

/** The finding in words; `isLast`: more like it are held back for a while. */
export function describeFirst(
  { kind, severity, actorKey, actor, tool, sessions }: First,
  call: CallFacts,
  isLast: boolean,
): Finding {
  const name = shown(actorKey);
  const toolName = shown(call.toolKey);
  const grave = call.traits.destructive ? 'destructive ' : call.traits.privileged ? 'privileged ' : '';
  const observed = `${name} used ${grave}tool ${toolName} (${call.action}) for the first time`;
  const normal =
    kind === 'actor'
      ? `none of ${sessions} sessions here was this actor's`
      : kind === 'actor-of-tool'
        ? `${toolName} was used by ${actorsText(tool?.others ?? 0)} in ${tool?.sessions ?? 0} sessions`
        : `0 of ${actor?.sessions ?? 0} sessions of this actor used it, with ${actor?.others ?? 0} tools; ${actorsText(tool?.others ?? 0)} did`;
  const held = isLast ? ' There were many first uses: more are held back for about an hour.' : '';
  return {
    title: titles[kind],
    severity,
    score: scores[severity],
    reason: `${observed}; ${normal}.${held}`,
    observed,
    normal,
    distance:
      kind === 'actor-of-tool'
        ? `no new actor in ${tool?.quiet ?? 0} sessions of the tool`
        : `no first use like this in ${actor?.quiet ?? 0} sessions of the actor`,
    dedupKey:
      `${kind === 'actor' ? 'actor' : 'pair'} ${actorKey} ${kind === 'actor' ? '' : call.toolKey}`.trim(),
    evidence: [call.eventId],
    references: accessReferences['first-seen'],
  };
}

function actorsText(count: number): string {
  if (count === 0) return 'no actor';
  return count === 1 ? '1 actor' : `${count} actors`;
}
