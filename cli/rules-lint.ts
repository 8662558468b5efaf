import { Command } from 'commander';
import { fileProblemText, readRuleFiles } from '../pipeline/rule-files.ts';
import { expiredIn, readSuppressionFile } from '../pipeline/suppression-file.ts';
import { exitCodes } from './exit-codes.ts';
import { type CommonOptions, configOf, type SetExitCode, withCommonOptions } from './options.ts';

interface LintOptions extends CommonOptions {
  readonly suppressions?: string;
}

/** `custody rules lint`: everything that can be said of rules without an event. */
export function rulesLintCommand(setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('lint'))
    .description('check rules and suppressions; says file, line, rule and key of what is wrong')
    .argument('[paths...]', 'directories or files (default: rules.dirs of the configuration)')
    .option('-s, --suppressions <file>', 'check this file too (default: rules.suppressions_file)')
    .addHelpText(
      'after',
      `
Examples:
  custody rules lint my-rules/
  custody rules lint builtin my-rules/ --json          one id twice is an error, so lint them together
  custody rules lint --suppressions suppressions.yaml

A suppression that ended is a warning: the calendar breaks no build.
Exit codes: 0 nothing is wrong, 1 something is.`,
    )
    .action((paths: string[], options: LintOptions) => {
      const { rules } = configOf(options);
      const files = readRuleFiles(paths.length === 0 ? rules.dirs : paths);
      const path = options.suppressions ?? rules.suppressions_file;
      const silenced = path === undefined ? undefined : readSuppressionFile(path);
      const wrong = silenced?.problems ?? [];
      const problems = [...files.problems, ...wrong];
      const warnings = silenced === undefined ? [] : expiredIn(silenced, path ?? '', Date.now());
      const counts = {
        rules: files.rules.length,
        suppressions: silenced?.suppressions.list.length ?? 0,
      };
      if (options.json === true)
        process.stdout.write(`${JSON.stringify({ ...counts, problems, warnings })}\n`);
      else {
        const lines = [
          ...files.problems.map((each) => fileProblemText(each)),
          ...wrong.map((each) => fileProblemText(each, 'suppression')),
          ...warnings.map((each) => `warning: ${fileProblemText(each, 'suppression')}`),
          `${counts.rules} rules, ${counts.suppressions} suppressions, ${problems.length} problems${
            warnings.length === 0 ? '' : `, ${warnings.length} warnings`
          }`,
        ];
        process.stdout.write(lines.map((line) => `${line}\n`).join(''));
      }
      if (problems.length > 0) setExitCode(exitCodes.failed);
    });
}
