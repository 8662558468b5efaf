import { Command } from 'commander';
import { type ExplainedCondition, falseParts } from '../detectors/rules/explain.ts';
import { type CaseResult, runRuleTests } from '../detectors/rules/run-tests.ts';
import { fileProblemText, readRuleFiles } from '../pipeline/rule-files.ts';
import { exitCodes } from './exit-codes.ts';
import { type CommonOptions, configOf, type SetExitCode, withCommonOptions } from './options.ts';

/** `custody rules test`: runs the cases beside each rule through the engine that runs live. */
export function rulesTestCommand(setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('test'))
    .description('run the cases beside each rule in the engine that runs live')
    .argument('[paths...]', 'directories or files (default: rules.dirs of the configuration)')
    .option('-r, --rule <id>', 'only this rule')
    .addHelpText(
      'after',
      `
Examples:
  custody rules test my-rules/
  custody rules test my-rules/ --rule bulk-export      a failing case shows why, event by event
  custody rules test --json | jq '.failed'

Exit codes: 0 all cases passed, 1 a case failed or a rule is wrong.`,
    )
    .action((paths: string[], options: CommonOptions & { readonly rule?: string }) => {
      const config = configOf(options);
      const files = readRuleFiles(paths.length === 0 ? config.rules.dirs : paths);
      const results = files.rules
        .filter(({ rule }) => options.rule === undefined || rule.rule.id === options.rule)
        .map(({ file, rule }) => ({
          file,
          rule: rule.rule.id,
          cases: runRuleTests(rule, config.detect),
        }));
      const cases = results.flatMap((result) => result.cases);
      const failed = cases.filter(({ passed }) => !passed).length;
      const problems = options.rule === undefined ? files.problems : [];
      if (options.json === true) {
        const summary = { rules: results.length, cases: cases.length, failed };
        process.stdout.write(`${JSON.stringify({ ...summary, problems, results })}\n`);
      } else {
        for (const problem of problems) process.stdout.write(`${fileProblemText(problem)}\n`);
        for (const result of results)
          for (const each of result.cases)
            if (!each.passed) process.stdout.write(failureText(result.rule, each));
        process.stdout.write(`${results.length} rules, ${cases.length} cases, ${failed} failed\n`);
      }
      if (failed > 0 || problems.length > 0 || (options.rule !== undefined && results.length === 0))
        setExitCode(exitCodes.failed);
    });
}

function failureText(rule: string, result: CaseResult): string {
  const head = `${rule}: ${result.name}: expected ${result.expected}, got ${result.alerts === 0 ? 'quiet' : `${result.alerts} alerts`}`;
  if (result.problem !== undefined) return `${rule}: ${result.name}: ${result.problem}\n`;
  const lines = result.events.flatMap(({ index, conditions, correlation }) =>
    [...conditions.map(conditionText), ...(correlation === undefined ? [] : [correlation])].map(
      (text) => `  event ${index}: ${text}`,
    ),
  );
  return `${[head, ...lines].join('\n')}\n`;
}

function conditionText({ name, holds, otherKind, whole }: ExplainedCondition): string {
  if (otherKind) return `${name} is about other kinds of events`;
  if (holds) return `${name} is true`;
  const parts = falseParts(whole).map(({ text, value, parts: inner }) => {
    const values = inner.map((each) => `${each.text} = ${each.value}`).join(', ');
    return `${text} is ${value}${values === '' ? '' : ` (${values})`}`;
  });
  return `${name} is false: ${parts.join('; ')}`;
}
