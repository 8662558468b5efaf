import { aboutEvent } from '../about-event.ts';
import type { DetectEvent, Detector, DetectorState, FindingSubject, Raise } from '../detector.ts';
import type { Correlation } from '../../schemas/rule.ts';
import type { CompiledRule } from './compile-rule.ts';
import { eventVocabulary, type FactSource, type Vocabulary } from './condition.ts';
import { advanceSequence, collectSteps, type Correlated, countHits, countValues } from './correlate.ts';
import {
  addWaiting,
  type GroupState,
  type Hit,
  newRuleState,
  type RulesState,
  type RuleState,
  touchGroup,
} from './rule-state.ts';
import type { RuleOfKind, RuleSet } from './rule-set.ts';
import { tell } from './tell.ts';
import { type MatchWords, valueText } from './template.ts';

/** How long after a window's end its last event may still arrive. */
const latenessMs = 30_000;

/** Put around what is done for one rule, to measure it from outside; it has to do the work, once. */
export type AroundRule = (ruleId: string, work: () => void) => void;

/**
 * Runs the rules in force (docs/detectors/rules.md). Alerts carry the rule's id and version; a rule's state is its own, so
 * putting other rules in force changes nothing for those that stay.
 */
export function rulesDetector(
  inForce: (tenant: string) => RuleSet,
  around?: AroundRule,
): Detector<RulesState, undefined> {
  const vocabulary = eventVocabulary();
  return {
    id: 'rules',
    version: 1,
    newTenantState: () => ({ rules: new Map(), stamp: '', streamMs: 0 }),
    newSessionState: () => undefined,
    step(detected, { tenant: state }: DetectorState<RulesState, undefined>, raise) {
      const set = inForce(detected.event.tenant);
      forgetGone(state, set);
      if (detected.timeMs > state.streamMs) state.streamMs = detected.timeMs;
      const rules = set.byKind.get(detected.event.kind);
      if (rules !== undefined) stepRules(rules, detected, state, raise, vocabulary, around);
      for (const rule of set.waiting) {
        const own = state.rules.get(rule.key);
        if (own === undefined || own.dueMs > state.streamMs) continue;
        const work = () => tellOverdue(rule, own, state.streamMs, raise);
        if (around === undefined) work();
        else around(rule.rule.id, work);
      }
    },
  };
}

function stepRules(
  rules: readonly RuleOfKind[],
  detected: DetectEvent,
  state: RulesState,
  raise: Raise,
  vocabulary: Vocabulary,
  around: AroundRule | undefined,
): void {
  const facts = vocabulary.sourceOf(detected);
  for (const each of rules)
    if (around === undefined) stepRule(each, detected, facts, state, raise);
    else around(each.rule.rule.id, () => stepRule(each, detected, facts, state, raise));
}

function stepRule(
  { rule, until, match, steps: ofKind }: RuleOfKind,
  detected: DetectEvent,
  facts: FactSource,
  state: RulesState,
  raise: Raise,
): void {
  if (until?.holds(facts) === true) settle(rule, detected, state, facts);
  if (match === 'nothing' || (match !== 'anything' && !match.holds(facts))) return;
  const steps = stepsThatHold(ofKind, facts);
  if (rule.steps.length === 0 || steps.length > 0) matched(rule, steps, { detected, facts, state, raise });
}

const noSteps: readonly number[] = [];

function stepsThatHold(steps: RuleOfKind['steps'], facts: FactSource): readonly number[] {
  let found: number[] | undefined;
  for (const { index, condition } of steps) if (condition.holds(facts)) (found ??= []).push(index);
  return found ?? noSteps;
}

interface Moment {
  readonly detected: DetectEvent;
  readonly facts: FactSource;
  readonly state: RulesState;
  readonly raise: Raise;
}

function matched(rule: CompiledRule, steps: readonly number[], moment: Moment): void {
  const { detected, facts, state, raise } = moment;
  const group = groupOf(rule, facts);
  if (group === undefined) return;
  const own = stateOf(state, rule);
  const { event, call, timeMs } = detected;
  const hit: Hit = { timeMs, eventId: event.event_id, item: call?.eventId ?? event.event_id };
  const { correlation } = rule.rule;
  if (correlation.type === 'absence') {
    const waiting = touchGroup(own, group);
    const words = wordsOf(rule, 1, group);
    const reason = textsOf(rule, detected, facts, words);
    addWaiting(waiting, { ...hit, about: subjectOf(detected), reason });
    own.dueMs = Math.min(own.dueMs, timeMs + rule.windowMs + latenessMs);
    return;
  }
  const hits = correlated(rule, correlation, own, group, hit, steps, facts);
  if (hits === undefined) return;
  const words = wordsOf(rule, hits.length, group);
  const texts = textsOf(rule, detected, facts, words);
  const session = correlation.type === 'none' ? detected.session.key : '';
  tell(
    rule,
    own,
    { texts, evidence: hits.map(({ eventId }) => eventId), key: `${session}\n${texts[4] ?? ''}` },
    timeMs,
    raise,
  );
}

function correlated(
  rule: CompiledRule,
  correlation: Exclude<Correlation, { type: 'absence' }>,
  own: RuleState,
  group: string,
  hit: Hit,
  steps: readonly number[],
  facts: FactSource,
): Correlated {
  switch (correlation.type) {
    case 'none':
      return [hit];
    case 'threshold':
      return countHits(touchGroup(own, group), hit, rule, correlation);
    case 'value_count':
      return countValues(touchGroup(own, group), hit, rule, correlation, facts);
    case 'sequence':
      return correlation.ordered
        ? advanceSequence(touchGroup(own, group), hit, steps, rule)
        : collectSteps(touchGroup(own, group), hit, steps, rule);
  }
}

/** Values of `group_by`; `undefined` when one is absent, and then the event is of no group. */
export function groupOf(rule: CompiledRule, facts: FactSource): string | undefined {
  let group = '';
  for (const [index, condition] of rule.groupBy.entries()) {
    const value = condition.value(facts);
    if (value === undefined) return undefined;
    group += index === 0 ? valueText(value) : `\n${valueText(value)}`;
  }
  return group;
}

function stateOf(state: RulesState, rule: CompiledRule): RuleState {
  let own = state.rules.get(rule.key);
  if (own === undefined) state.rules.set(rule.key, (own = newRuleState()));
  return own;
}

/** Rules that are in force no more, or in another version, leave nothing behind. */
function forgetGone(state: RulesState, set: RuleSet): void {
  if (state.stamp === set.stamp) return;
  const keys = new Set(set.rules.map(({ key }) => key));
  for (const key of state.rules.keys()) if (!keys.has(key)) state.rules.delete(key);
  state.stamp = set.stamp;
}

/** What was waited for came: everything in the group that it is not older than, and that was not overdue yet, is settled. */
function settle(rule: CompiledRule, detected: DetectEvent, state: RulesState, facts: FactSource): void {
  const own = state.rules.get(rule.key);
  const key = groupOf(rule, facts);
  const group = own === undefined || key === undefined ? undefined : own.groups.get(key);
  if (group === undefined) return;
  const { timeMs, event, call } = detected;
  const item = call?.eventId ?? event.event_id;
  const left = group.waiting.filter(
    (each) => each.item === item || timeMs < each.timeMs || timeMs - each.timeMs > rule.windowMs,
  );
  group.waiting.splice(0, group.waiting.length, ...left);
}

function tellOverdue(rule: CompiledRule, own: RuleState, streamMs: number, raise: Raise): void {
  own.dueMs = Infinity;
  for (const [key, group] of own.groups) {
    for (const waiting of takeOverdue(group, streamMs - rule.windowMs - latenessMs)) {
      const { about, reason: texts, eventId } = waiting;
      const finding = { texts, evidence: [eventId], key: texts[4] ?? '', about };
      tell(rule, own, finding, streamMs, raise);
    }
    for (const { timeMs } of group.waiting)
      own.dueMs = Math.min(own.dueMs, timeMs + rule.windowMs + latenessMs);
    if (group.waiting.length === 0) own.groups.delete(key);
  }
}

function takeOverdue(group: GroupState, beganBeforeMs: number): GroupState['waiting'] {
  const overdue = group.waiting.filter(({ timeMs }) => timeMs <= beganBeforeMs);
  const left = group.waiting.filter(({ timeMs }) => timeMs > beganBeforeMs);
  group.waiting.splice(0, group.waiting.length, ...left);
  return overdue;
}

function wordsOf(rule: CompiledRule, count: number, group: string): MatchWords {
  const { correlation } = rule.rule;
  return {
    count,
    window: correlation.type === 'none' ? 'one event' : correlation.within,
    limit: 'count' in correlation ? correlation.count : 1,
    group: group.replaceAll('\n', ', '),
  };
}

function textsOf(rule: CompiledRule, detected: DetectEvent, facts: FactSource, words: MatchWords): string[] {
  const { reason, observed, normal, distance, dedupKey } = rule.texts;
  return [reason, observed, normal, distance, dedupKey].map((text) => text(detected, facts, words));
}

function subjectOf(detected: DetectEvent): FindingSubject {
  const { event, call, decision } = detected;
  return aboutEvent(detected, {
    serverName: event.server?.name ?? call?.server,
    toolName: event.tool?.name ?? call?.tool,
    decision: decision === 'none' || decision === 'other' ? undefined : decision,
  });
}
