import { Command } from 'commander';
import { stringify } from 'yaml';
import {
  importSigma,
  type ImportProblem,
  type SigmaDocument,
} from '../detectors/rules/sigma/import-sigma.ts';
import { documentsOf, filesOf } from '../pipeline/rule-documents.ts';
import { ConfigError } from '../runtime/errors.ts';
import { exitCodes } from './exit-codes.ts';
import type { SetExitCode } from './options.ts';

/** `custody rules import-sigma`: Sigma rules as ours, on stdout. */
export function rulesImportCommand(setExitCode: SetExitCode): Command {
  return new Command('import-sigma')
    .description('turn Sigma rules for product: mcp, and correlations of them, into rules')
    .argument('<files...>', 'Sigma rules in YAML; a correlation and its rules in one go')
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      `
Examples:
  custody rules import-sigma sigma/exfil.yml > my-rules/exfil.yaml
  custody rules import-sigma sigma/*.yml --json | jq '.problems'

What is not supported is an error that names its place, and nothing of that rule is printed.
Exit codes: 0 every rule was imported, 1 some were not.`,
    )
    .action((paths: string[], { json }: { readonly json?: boolean }) => {
      const documents = paths.flatMap(filesOf).flatMap((file) =>
        documentsOf(file).map(({ source, line, problem }): SigmaDocument => {
          if (problem !== undefined)
            throw new ConfigError(`cannot import ${file}: line ${line ?? '?'}: ${problem}`, { path: file });
          return { file, line, document: source };
        }),
      );
      const { rules, problems, notes } = importSigma(documents);
      if (json === true) process.stdout.write(`${JSON.stringify({ rules, problems, notes })}\n`);
      else {
        process.stdout.write(rules.map((rule) => stringify(rule, { lineWidth: 100 })).join('---\n'));
        for (const note of notes) process.stderr.write(`note: ${placed(note)}\n`);
        for (const problem of problems) process.stderr.write(`error: ${placed(problem)}\n`);
        process.stderr.write(
          `${documents.length} documents, ${rules.length} rules, ${problems.length} problems\n`,
        );
      }
      if (problems.length > 0) setExitCode(exitCodes.failed);
    });
}

function placed({ file, line, path, message }: ImportProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${path === '' ? '' : `${path}: `}${message}`;
}
