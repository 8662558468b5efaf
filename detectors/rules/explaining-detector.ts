import type { DetectEvent, Detector } from '../detector.ts';
import { eventVocabulary } from './condition.ts';
import { type ExplainedCondition, explainRule } from './explain.ts';
import { explainCorrelation } from './explain-correlation.ts';
import type { RuleSet } from './rule-set.ts';
import type { RulesState } from './rule-state.ts';
import { groupOf, rulesDetector } from './rules-detector.ts';

/** What one rule made of one event. */
export interface ExplainedRule {
  readonly conditions: readonly ExplainedCondition[];
  /** How the event counted; `undefined` where the conditions say it all. */
  readonly correlation: string | undefined;
  readonly alerts: number;
}

/**
 * The detector that runs live, with what every rule of the set made of each event. `explain` is slow, for people who ask, and
 * answers only while `see` runs.
 */
export function explainingDetector(
  set: RuleSet,
  see: (detected: DetectEvent, explain: () => readonly ExplainedRule[]) => void,
): Detector<RulesState, undefined> {
  const live = rulesDetector(() => set);
  return {
    ...live,
    step(detected, state, raise) {
      const facts = eventVocabulary().sourceOf(detected);
      const groupNow = set.rules.map((rule) => {
        const key = groupOf(rule, facts);
        return () => (key === undefined ? undefined : state.tenant.rules.get(rule.key)?.groups.get(key));
      });
      const hadSteps = groupNow.map((group) => (group()?.steps.length ?? 0) > 0);
      const raised: (string | undefined)[] = [];
      live.step(detected, state, (finding) => {
        raised.push(finding.detector?.id);
        raise(finding);
      });
      see(detected, () =>
        set.rules.map((rule, index) => {
          const conditions = explainRule(rule, detected);
          const alerts = raised.filter((id) => id === `rule/${rule.rule.id}`).length;
          const correlation = explainCorrelation(rule, {
            timeMs: detected.timeMs,
            facts,
            conditions,
            hadSteps: hadSteps[index] === true,
            group: groupNow[index]?.(),
            alerts,
          });
          return { conditions, correlation, alerts };
        }),
      );
    },
  };
}
