import { Command } from 'commander';
import type { SetExitCode } from './options.ts';
import { rulesExplainCommand } from './rules-explain.ts';
import { rulesImportCommand } from './rules-import.ts';
import { rulesLintCommand } from './rules-lint.ts';
import { rulesTestCommand } from './rules-test.ts';

/** `custody rules`: rules as data, from the first line to the proof that they work (docs/operations/writing-rules.md). */
export function rulesCommand(setExitCode: SetExitCode): Command {
  return new Command('rules')
    .description('check, test, explain and import detection rules')
    .addHelpText(
      'after',
      `
Examples:
  custody rules lint my-rules/                         schema, types, duplicates, cases, suppressions
  custody rules test my-rules/bulk-export.yaml         the cases beside the rules, in the engine that runs live
  custody rules explain --event event.json my-rules/   which rules match it, and each part of their conditions
  custody rules import-sigma sigma/*.yml > mine.yaml   Sigma rules for product: mcp`,
    )
    .addCommand(rulesLintCommand(setExitCode))
    .addCommand(rulesTestCommand(setExitCode))
    .addCommand(rulesExplainCommand())
    .addCommand(rulesImportCommand(setExitCode));
}
