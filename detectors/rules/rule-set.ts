import type { EventKind } from '../../schemas/event.ts';
import { rulesDocumentSchema } from '../../schemas/rule.ts';
import { type CompiledMatch, type CompiledRule, compileRule } from './compile-rule.ts';
import type { Condition } from './condition.ts';
import { idOf, type RuleProblem, schemaProblems } from './problem.ts';

/** The rules in force, in order of their ids. */
export interface RuleSet {
  readonly rules: readonly CompiledRule[];
  readonly byKind: ReadonlyMap<EventKind, readonly RuleOfKind[]>;
  /** Names the rules and their versions. */
  readonly stamp: string;
  /** Rules that wait for something that may never come. */
  readonly waiting: readonly CompiledRule[];
}

/** What of a rule is about one kind of events: asked for every event, so nothing is left to look up. */
export interface RuleOfKind {
  readonly rule: CompiledRule;
  readonly until: Condition | undefined;
  /** `nothing`: events of this kind only settle what waits. */
  readonly match: Condition | 'anything' | 'nothing';
  readonly steps: readonly { readonly index: number; readonly condition: Condition }[];
}

export const noRules: RuleSet = { rules: [], byKind: new Map(), stamp: '', waiting: [] };

/** Rules of a `policy_document` event, or of files through `ruleSetDocument`; the same document gives the same set. */
export function compileRuleSet(document: unknown): {
  readonly set: RuleSet;
  /** What is wrong with the rules that are not in the set. */
  readonly problems: readonly RuleProblem[];
} {
  const parsed = rulesDocumentSchema.safeParse(document);
  if (!parsed.success) return { set: noRules, problems: schemaProblems(undefined, parsed.error) };
  const problems: RuleProblem[] = [];
  const rules = new Map<string, CompiledRule>();
  for (const source of parsed.data.rules) {
    const compiled = compileRule(source);
    if ('problems' in compiled) problems.push(...compiled.problems);
    else if (rules.has(compiled.rule.rule.id))
      problems.push({ rule: compiled.rule.rule.id, path: 'id', message: 'another rule has this id' });
    else rules.set(compiled.rule.rule.id, compiled.rule);
  }
  return { set: ruleSetOf([...rules.values()]), problems };
}

export function ruleSetOf(compiled: readonly CompiledRule[]): RuleSet {
  const rules = [...compiled].sort((a, b) => (a.rule.id < b.rule.id ? -1 : 1));
  const byKind = new Map<EventKind, RuleOfKind[]>();
  for (const rule of rules)
    for (const kind of rule.kinds) byKind.set(kind, [...(byKind.get(kind) ?? []), ruleOfKind(rule, kind)]);
  return {
    rules,
    byKind,
    stamp: rules.map(({ key }) => key).join(' '),
    waiting: rules.filter(({ until }) => until !== undefined),
  };
}

function ruleOfKind(rule: CompiledRule, kind: EventKind): RuleOfKind {
  const { match, until, steps } = rule;
  const conditionOf = (of: CompiledMatch | undefined) =>
    of?.kinds.has(kind) === true ? of.condition : undefined;
  return {
    rule,
    until: conditionOf(until),
    match: match === undefined ? 'anything' : (conditionOf(match) ?? 'nothing'),
    steps: steps.flatMap((step, index) => {
      const condition = conditionOf(step);
      return condition === undefined ? [] : [{ index, condition }];
    }),
  };
}

/**
 * The document for `policy_document`: rules in order of their ids, so that the order of files changes nothing. Tests stay
 * in the files.
 */
export function ruleSetDocument(sources: readonly unknown[]): {
  readonly schema: 'custody.rules/v1';
  readonly rules: readonly unknown[];
} {
  const rules = sources.map(withoutTests).sort((a, b) => ((idOf(a) ?? '') < (idOf(b) ?? '') ? -1 : 1));
  return { schema: 'custody.rules/v1', rules };
}

/** Nobody runs them once the rule is in force, and a document has a size limit. */
function withoutTests(source: unknown): unknown {
  if (typeof source !== 'object' || source === null) return source;
  const rule: Record<string, unknown> = { ...source };
  delete rule['tests'];
  return rule;
}
