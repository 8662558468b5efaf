import type { Alert } from '../../schemas/alert.ts';
import { suppressionsDocumentSchema, type Suppression, suppressionSchema } from '../../schemas/rule.ts';
import { alertVocabulary, type Condition, ConditionError } from './condition.ts';
import { idOf, type RuleProblem, schemaProblems } from './problem.ts';

export interface CompiledSuppression {
  readonly suppression: Suppression;
  /** From here on it does nothing. */
  readonly endMs: number;
  readonly condition: Condition | undefined;
}

export interface Suppressions {
  readonly list: readonly CompiledSuppression[];
}

export const noSuppressions: Suppressions = { list: [] };

/** Of a `policy_document` event, or of a file through `suppressionsDocument`. */
export function compileSuppressions(document: unknown): {
  readonly suppressions: Suppressions;
  readonly problems: readonly RuleProblem[];
} {
  const parsed = suppressionsDocumentSchema.safeParse(document);
  if (!parsed.success)
    return { suppressions: noSuppressions, problems: schemaProblems(undefined, parsed.error) };
  const problems: RuleProblem[] = [];
  const list = new Map<string, CompiledSuppression>();
  for (const source of parsed.data.suppressions) {
    const one = suppressionSchema.safeParse(source);
    if (!one.success) problems.push(...schemaProblems(idOf(source), one.error));
    else if (list.has(one.data.id))
      problems.push({ rule: one.data.id, path: 'id', message: 'another suppression has this id' });
    else {
      const compiled = compileOne(one.data);
      if ('message' in compiled) problems.push(compiled);
      else list.set(one.data.id, compiled);
    }
  }
  return { suppressions: { list: [...list.values()] }, problems };
}

/** The document for `policy_document`. */
export function suppressionsDocument(sources: readonly unknown[]): {
  readonly schema: 'custody.suppressions/v1';
  readonly suppressions: readonly unknown[];
} {
  return { schema: 'custody.suppressions/v1', suppressions: sources };
}

function compileOne(suppression: Suppression): CompiledSuppression | RuleProblem {
  const { condition } = suppression.match;
  try {
    return {
      suppression,
      endMs: Date.parse(suppression.expires),
      condition: condition === undefined ? undefined : alertVocabulary().compile(condition),
    };
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    return { rule: suppression.id, path: 'match.condition', message: error.message };
  }
}

/**
 * The alert as it is recorded: `suppressed` when one of the suppressions that has not ended at `timeMs` matches it, in order of the
 * list; otherwise unchanged. Pure; meant for alerts of every detector.
 */
export function suppress(alert: Alert, { list }: Suppressions, timeMs: number): Alert {
  if (list.length === 0 || alert.mode === 'suppressed') return alert;
  const by = list.find((each) => timeMs < each.endMs && matches(each, alert));
  if (by === undefined) return alert;
  const { id, reason } = by.suppression;
  return { ...alert, mode: 'suppressed', suppressed_by: `${id}: ${reason}`.slice(0, 256) };
}

function matches({ suppression: { match }, condition }: CompiledSuppression, alert: Alert): boolean {
  return (
    is(match.detector, alert.detector.id) &&
    is(match.tenant, alert.tenant) &&
    is(match.actor, alert.actor_id) &&
    is(match.tool, alert.tool_name) &&
    is(match.session, alert.session_key) &&
    is(match.dedup_key, alert.dedup_key) &&
    (condition === undefined || condition.holds(alertVocabulary().sourceOf(alert)))
  );
}

function is(wanted: string | undefined, actual: string | undefined): boolean {
  return wanted === undefined || wanted === actual;
}
