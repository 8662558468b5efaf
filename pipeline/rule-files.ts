import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CompiledRule, compileRule } from '../detectors/rules/compile-rule.ts';
import { lintProblems } from '../detectors/rules/lint.ts';
import type { RuleProblem } from '../detectors/rules/problem.ts';
import { type RuleSet, ruleSetDocument, ruleSetOf } from '../detectors/rules/rule-set.ts';
import { ConfigError } from '../runtime/errors.ts';
import { documentsOf, filesOf } from './rule-documents.ts';

/** What is wrong in a file, and where. */
export interface FileProblem extends RuleProblem {
  readonly file: string;
  readonly line: number | undefined;
}

export interface RuleFiles {
  readonly set: RuleSet;
  readonly rules: readonly { readonly file: string; readonly rule: CompiledRule }[];
  /** For a `policy_document` event of type `rules`; only without problems. */
  readonly document: ReturnType<typeof ruleSetDocument>;
  readonly problems: readonly FileProblem[];
}

/** The rules that come with the product: beside the sources, or in the package. */
export function builtinRulesDir(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  for (let up = 0; up < 3; up += 1) {
    const candidate = join(dir, 'rules');
    if (existsSync(join(candidate, 'README.md'))) return candidate;
    dir = dirname(dir);
  }
  throw new ConfigError('cannot find the built-in rules: the package is not complete');
}

/**
 * Reads every rule of the directories, or of single files; `builtin` stands for the product's own. A later directory does not
 * replace rules of an earlier one: two rules with one id are a problem.
 * @throws ConfigError when a directory cannot be read.
 */
export function readRuleFiles(dirs: readonly string[]): RuleFiles {
  const problems: FileProblem[] = [];
  const rules = new Map<string, { readonly file: string; readonly rule: CompiledRule }>();
  const sources: unknown[] = [];
  for (const file of dirs.flatMap((dir) => filesOf(dir === 'builtin' ? builtinRulesDir() : dir))) {
    for (const { source, line, lineOf, problem } of documentsOf(file)) {
      if (problem !== undefined) {
        problems.push({ file, line, rule: undefined, path: '', message: problem });
        continue;
      }
      const compiled = compileRule(source);
      const found = 'problems' in compiled ? compiled.problems : lintProblems(compiled.rule);
      problems.push(...found.map((each) => ({ ...each, file, line: lineOf(each.path) ?? line })));
      if ('problems' in compiled) continue;
      const { id } = compiled.rule.rule;
      const other = rules.get(id);
      if (other === undefined) {
        rules.set(id, { file, rule: compiled.rule });
        sources.push(source);
      } else {
        const message = `the rule of ${other.file} has this id`;
        problems.push({ file, line: lineOf('id') ?? line, rule: id, path: 'id', message });
      }
    }
  }
  return {
    set: ruleSetOf([...rules.values()].map(({ rule }) => rule)),
    rules: [...rules.values()],
    document: ruleSetDocument(sources),
    problems,
  };
}

/** `rules/a.yaml:3: rule bulk-change: severity: …` */
export function fileProblemText(problem: FileProblem, what: 'rule' | 'suppression' = 'rule'): string {
  const { file, line, rule, path, message } = problem;
  const who = rule === undefined ? '' : `${what} ${rule}: `;
  return `${file}${line === undefined ? '' : `:${line}`}: ${who}${path === '' ? '' : `${path}: `}${message}`;
}
