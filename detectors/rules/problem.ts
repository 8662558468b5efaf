import type { z } from 'zod';

/** Why a rule or a suppression cannot be used, or should be looked at; never with what a file holds besides names. */
export interface RuleProblem {
  /** Id of the rule or suppression, where it has a readable one. */
  readonly rule: string | undefined;
  /** Of the wrong key, such as `correlation.steps.1.condition`. */
  readonly path: string;
  readonly message: string;
}

/** What the schema says, each with the path of its key. */
export function schemaProblems(rule: string | undefined, error: z.ZodError): RuleProblem[] {
  return error.issues.map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
    const message =
      issue.code === 'unrecognized_keys' ? 'no such key' : issue.message.replace(/^Invalid input: /, '');
    return { rule, path: keys.map(String).join('.'), message };
  });
}

/** The id of what may be a rule, for messages. */
export function idOf(source: unknown): string | undefined {
  if (typeof source !== 'object' || source === null || !('id' in source)) return undefined;
  return typeof source.id === 'string' ? source.id.slice(0, 64) : undefined;
}

/** One line: `rule bulk-change: match.condition: there is no member event.tol`. */
export function problemText(problem: RuleProblem): string {
  const who = problem.rule === undefined ? '' : `rule ${problem.rule}: `;
  return `${who}${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`;
}
