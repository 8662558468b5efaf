import type { Finding, FindingSubject, Raise } from '../detector.ts';
import type { CompiledRule } from './compile-rule.ts';
import { isDue, type RuleState } from './rule-state.ts';

const dayMs = 86_400_000;

/** What a rule has to say. */
export interface Told {
  /** reason, observed, normal, distance, dedup key */
  readonly texts: readonly string[];
  readonly evidence: readonly string[];
  readonly key: string;
  readonly about?: FindingSubject;
}

/** Raises within the budget of the day; the alert that spends it says so, what comes after is recorded as suppressed. */
export function tell(rule: CompiledRule, own: RuleState, told: Told, timeMs: number, raise: Raise): void {
  if (!isDue(own, told.key, timeMs, rule.repeatMs)) return;
  const { id, version, title, severity, references, runbook, mode, alert, alert_budget } = rule.rule;
  const [reason = '', observed = '', normal = '', distance = '', dedupKey = ''] = told.texts;
  const finding: Finding = {
    detector: { id: `rule/${id}`, version },
    title,
    severity,
    score: alert.score ?? scores[severity],
    reason,
    observed,
    normal,
    distance,
    dedupKey: dedupKey === '' ? id : dedupKey,
    evidence: told.evidence,
    references,
    ...(told.about === undefined ? {} : { about: told.about }),
    ...(runbook === undefined ? {} : { runbook }),
    ...(mode === 'shadow' ? { mode } : {}),
  };
  const day = Math.floor(timeMs / dayMs);
  const { budget } = own;
  if (budget.day < day) Object.assign(budget, { day, spent: 0 });
  budget.spent += 1;
  const max = alert_budget.max_per_day;
  if (budget.spent <= max || mode === 'shadow') {
    raise(finding);
    return;
  }
  raise({ ...finding, mode: 'suppressed', suppressedBy: `alert budget: ${max} a day` });
  if (budget.spent === max + 1) raise(budgetSpent(finding, rule, day));
}

function budgetSpent(finding: Finding, rule: CompiledRule, day: number): Finding {
  const { id, title, alert_budget } = rule.rule;
  const max = alert_budget.max_per_day;
  return {
    ...finding,
    title: `Alert budget spent: ${title}`,
    reason: `The rule ${id} raised more than ${max} alerts today; those that follow are recorded and not sent.`,
    observed: `alert ${max + 1} of the day`,
    normal: `at most ${max} a day`,
    distance: 'one more than the budget; how many follow is in the ledger',
    dedupKey: `budget/${id}/${day}`,
  };
}

const scores = { info: 0.1, low: 0.3, medium: 0.5, high: 0.8, critical: 0.95 } as const;
