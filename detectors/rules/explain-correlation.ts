import { shown } from '../wording.ts';
import type { CompiledRule } from './compile-rule.ts';
import type { FactSource } from './condition.ts';
import type { ExplainedCondition } from './explain.ts';
import type { GroupState } from './rule-state.ts';
import { valueText } from './template.ts';

/** What the rule knew and did around one event. */
export interface CorrelationMoment {
  readonly timeMs: number;
  readonly facts: FactSource;
  readonly conditions: readonly ExplainedCondition[];
  /** A run of steps had begun before the event. */
  readonly hadSteps: boolean;
  /** Its group after the event. */
  readonly group: GroupState | undefined;
  readonly alerts: number;
}

/**
 * How the event counted, in one line such as `9 of 10 within 10m (actor.key = agent-7)`; `undefined` where the conditions
 * say it all.
 */
export function explainCorrelation(rule: CompiledRule, moment: CorrelationMoment): string | undefined {
  const { type } = rule.rule.correlation;
  const { conditions, alerts } = moment;
  const holds = (name: string) => conditions.some((each) => each.name === name && each.holds);
  const isMatch = rule.match === undefined || holds('match');
  const isStep = conditions.some(({ name, holds: held }) => held && name.startsWith('step '));
  const settles = holds('until');
  if (type === 'sequence' && isStep && !isMatch) return 'match is false: its steps are not looked at';
  const counts = type === 'sequence' ? isStep : isMatch;
  if (!counts && !settles) return alerts > 0 ? 'what was waited for did not come in time: alert' : undefined;
  const absent = rule.groupBy.find((part) => part.value(moment.facts) === undefined);
  if (absent !== undefined) return `group_by ${absent.text} is absent: not counted`;
  const counted = counts ? countedText(rule, moment) : 'settles what waits';
  return counted === undefined ? undefined : `${counted}${groupText(rule, moment.facts)}`;
}

function countedText(rule: CompiledRule, moment: CorrelationMoment): string | undefined {
  const { correlation, repeat_after } = rule.rule;
  const silent = `: the same was told within ${repeat_after} (repeat_after), so no alert`;
  const outcome = moment.alerts > 0 ? ': alert' : silent;
  switch (correlation.type) {
    case 'none':
      return moment.alerts > 0 ? undefined : `counted${silent}`;
    case 'threshold':
    case 'value_count': {
      const { count, within } = correlation;
      if (correlation.type === 'value_count' && rule.value?.value(moment.facts) === undefined)
        return `correlation.value ${correlation.value} is absent: not counted`;
      const what = correlation.type === 'threshold' ? '' : ' different values';
      const hits = hitsWithin(rule, moment);
      return hits === 0
        ? `${count} of ${count}${what} within ${within}${outcome}`
        : `${hits} of ${count}${what} within ${within}`;
    }
    case 'sequence': {
      const { steps, within, ordered } = correlation;
      const begun = moment.group?.steps ?? [];
      // A run that is complete is forgotten.
      if (begun.length === 0 && (moment.hadSteps || !ordered))
        return `${steps.length} of ${steps.length} steps within ${within}${outcome}`;
      const missing = missingSteps(rule, moment, ordered);
      const done = steps.length - missing.length;
      return `${done} of ${steps.length} steps within ${within}, waits for step ${(ordered ? missing.slice(0, 1) : missing).join(', ')}`;
    }
    case 'absence':
      return `waits for until within ${correlation.within}; told by the first event more than ${correlation.within} and 30s later`;
  }
}

/** Hits of the group that still count. The event's own is among them, unless they were enough and are forgotten. */
function hitsWithin(rule: CompiledRule, { group, timeMs }: CorrelationMoment): number {
  const hits = [...(group?.hits?.values() ?? [])];
  return hits.filter((hit) => Math.abs(timeMs - hit.timeMs) <= rule.windowMs).length;
}

/** Names of the steps that did not happen yet; in order, what the furthest run lacks. */
function missingSteps(
  rule: CompiledRule,
  { group, timeMs }: CorrelationMoment,
  ordered: boolean,
): readonly string[] {
  const names = rule.steps.map(({ name }) => name);
  const isOpen = (step: number) => {
    const began = group?.steps[step]?.[0];
    return began !== undefined && timeMs - began.timeMs <= rule.windowMs;
  };
  if (!ordered) return names.filter((_, step) => !isOpen(step));
  return names.slice(names.findLastIndex((_, step) => isOpen(step)) + 1);
}

function groupText({ groupBy }: CompiledRule, facts: FactSource): string {
  const parts = groupBy.map((part) => `${part.text} = ${shown(valueText(part.value(facts)), 80)}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
