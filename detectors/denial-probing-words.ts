import type { DetectConfig } from '../schemas/config.ts';
import type { RefusedCall } from './denial-probing.ts';
import type { CallFacts, Finding } from './detector.ts';
import { accessReferences } from './references-access.ts';
import { shown } from './wording.ts';

const references = accessReferences['denial-probing'];

/** Refusals of one actor within the window. */
export interface Probing {
  readonly actorKey: string;
  readonly tools: number;
  /** Of the tool refused last, with different arguments. */
  readonly attempts: number;
  readonly spanMs: number;
  readonly evidence: readonly string[];
}

export function describeProbing(
  { actorKey, tools, attempts, spanMs, evidence }: Probing,
  config: DetectConfig['denial_probing'],
): Finding {
  const isSpread = tools >= config.tools;
  const [count, limit] = isSpread ? [tools, config.tools] : [attempts, config.attempts];
  const what = isSpread ? `${tools} different tools` : `one tool with ${attempts} different arguments`;
  const observed = `${shown(actorKey)} was refused ${what} in ${Math.round(spanMs / 1000)} s`;
  const windowMin = Math.round(config.window_ms / 6000) / 10;
  return {
    title: isSpread ? 'Refused one tool after the other' : 'Refused one resource after the other',
    severity: count >= 2 * limit ? 'high' : 'medium',
    score: 1 - limit / (2 * count),
    reason: `${observed}; fewer than ${limit} in ${windowMin} min are usual, and none of these is refused to it all the time.`,
    observed,
    normal: `fewer than ${limit} in ${windowMin} min`,
    distance: `${count} of ${limit}`,
    dedupKey: `probing ${actorKey}`,
    evidence,
    references,
  };
}

export function describeDetour({ tool, eventId }: RefusedCall, call: CallFacts): Finding {
  const observed = `${shown(tool)} was refused, then ${shown(call.toolKey)} was used on the same target`;
  const isGrave = call.traits.destructive || call.traits.privileged;
  return {
    title: 'Refused, then done with another tool',
    severity: isGrave ? 'high' : 'medium',
    score: isGrave ? 0.9 : 0.75,
    reason: `In the session, ${observed}: the second tool may be a way around the first one's rule.`,
    observed,
    normal: 'what is refused is not done in another way',
    distance: 'same arguments, value or destination',
    dedupKey: `detour ${tool} ${call.toolKey}`,
    evidence: [eventId, call.eventId],
    references,
  };
}
