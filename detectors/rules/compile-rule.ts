import type { EventKind } from '../../schemas/event.ts';
import { durationMs, type Rule, ruleSchema } from '../../schemas/rule.ts';
import { type Condition, ConditionError, eventVocabulary } from './condition.ts';
import { idOf, type RuleProblem, schemaProblems } from './problem.ts';
import { compileTemplate, type Template } from './template.ts';

/** A rule ready to run. Pure data and functions: no state. */
export interface CompiledRule {
  readonly rule: Rule;
  /** `<id>@<version>`: whose state it is. */
  readonly key: string;
  /** Kinds of events any of its conditions is about. */
  readonly kinds: ReadonlySet<EventKind>;
  readonly match: CompiledMatch | undefined;
  readonly steps: readonly (CompiledMatch & { readonly name: string })[];
  readonly until: CompiledMatch | undefined;
  readonly value: Condition | undefined;
  readonly groupBy: readonly Condition[];
  readonly windowMs: number;
  readonly repeatMs: number;
  readonly texts: Readonly<Record<'reason' | 'observed' | 'normal' | 'distance' | 'dedupKey', Template>>;
}

export interface CompiledMatch {
  readonly kinds: ReadonlySet<EventKind>;
  readonly condition: Condition;
}

/** The rule, or why it is none. */
export function compileRule(
  source: unknown,
): { readonly rule: CompiledRule } | { readonly problems: readonly RuleProblem[] } {
  const parsed = ruleSchema.safeParse(source);
  if (!parsed.success) return { problems: schemaProblems(idOf(source), parsed.error) };
  const rule = parsed.data;
  const problems: RuleProblem[] = structureProblems(rule);
  const at = <T>(path: string, make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      const place = error.at === undefined ? '' : ` (at character ${error.at + 1})`;
      problems.push({ rule: rule.id, path, message: `${error.message}${place}` });
      return undefined;
    }
  };
  const compiled = compileParts(rule, at);
  if (compiled === undefined || problems.length > 0) return { problems };
  return { rule: compiled };
}

type At = <T>(path: string, make: () => T) => T | undefined;

function compileParts(rule: Rule, at: At): CompiledRule | undefined {
  const vocabulary = eventVocabulary();
  const { correlation } = rule;
  const matchOf = (
    path: string,
    source: { readonly kinds?: readonly EventKind[] | undefined; readonly condition: string },
  ): CompiledMatch | undefined => {
    const condition = at(`${path}.condition`, () => vocabulary.compile(source.condition));
    return condition && { kinds: new Set(source.kinds ?? rule.match?.kinds ?? ['tool_call']), condition };
  };
  const match = rule.match && matchOf('match', rule.match);
  const steps =
    correlation.type !== 'sequence'
      ? []
      : correlation.steps.flatMap((step, index) => {
          const compiled = matchOf(`correlation.steps.${index}`, step);
          return compiled === undefined ? [] : [{ ...compiled, name: step.name }];
        });
  const until = correlation.type === 'absence' ? matchOf('correlation.until', correlation.until) : undefined;
  const value =
    correlation.type === 'value_count'
      ? at('correlation.value', () => vocabulary.compile(correlation.value, 'any'))
      : undefined;
  const groupBy = rule.group_by.flatMap((text, index) => {
    const condition = at(`group_by.${index}`, () => vocabulary.compile(text, 'any'));
    return condition === undefined ? [] : [condition];
  });
  const text = (name: keyof Rule['alert'], source: string) =>
    at(`alert.${name}`, () => compileTemplate(source, vocabulary));
  const { alert } = rule;
  const reason = text('reason', alert.reason);
  const observed = text('observed', alert.observed ?? observedText(rule));
  const normal = text('normal', alert.normal ?? 'the rule matches nothing');
  const distance = text('distance', alert.distance ?? distanceText(rule));
  const dedupKey = text(
    'dedup_key',
    alert.dedup_key ?? (correlation.type === 'none' ? '{{tool}}' : '{{group}}'),
  );
  if (!reason || !observed || !normal || !distance || !dedupKey) return undefined;
  return {
    rule,
    key: `${rule.id}@${rule.version}`,
    kinds: new Set([match, until, ...steps].flatMap((each) => [...(each?.kinds ?? [])])),
    match,
    steps,
    until,
    value,
    groupBy,
    windowMs: correlation.type === 'none' ? 0 : durationMs(correlation.within),
    repeatMs: durationMs(rule.repeat_after),
    texts: { reason, observed, normal, distance, dedupKey },
  };
}

function structureProblems(rule: Rule): RuleProblem[] {
  const problem = (path: string, message: string): RuleProblem => ({ rule: rule.id, path, message });
  const found: RuleProblem[] = [];
  if (rule.correlation.type !== 'sequence' && rule.match === undefined)
    found.push(problem('match', `a rule with correlation ${rule.correlation.type} needs a match`));
  return found;
}

function observedText(rule: Rule): string {
  switch (rule.correlation.type) {
    case 'none':
      return 'one event that matches';
    case 'threshold':
      return '{{count}} events that match within {{window}}';
    case 'value_count':
      return '{{count}} different values within {{window}}';
    case 'sequence':
      return '{{count}} steps within {{window}}';
    case 'absence':
      return 'nothing that follows within {{window}}';
  }
}

function distanceText(rule: Rule): string {
  switch (rule.correlation.type) {
    case 'threshold':
    case 'value_count':
      return '{{count}} against a limit of {{limit}}';
    case 'sequence':
      return 'all {{count}} steps, one window of {{window}}';
    case 'absence':
      return 'more than {{window}} went by';
    case 'none':
      return 'any match is a finding';
  }
}
