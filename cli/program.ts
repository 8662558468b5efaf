import { Command, CommanderError } from 'commander';
import { CustodyError } from '../runtime/errors.ts';
import { alertsCommand } from './alerts.ts';
import { backtestCommand } from './backtest.ts';
import { bundleCommand } from './bundle.ts';
import { configCommand } from './config.ts';
import { evalCommand } from './eval.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { holdCommand } from './hold.ts';
import { incidentCommand } from './incident.ts';
import { keysCommand } from './keys.ts';
import { migrateCommand } from './migrate.ts';
import { notaryCommand } from './notary.ts';
import type { SetExitCode } from './options.ts';
import { queryCommand } from './query.ts';
import { receiptCommand } from './receipt.ts';
import { refillCommand } from './refill.ts';
import { registryCommand } from './registry.ts';
import { replayCommand } from './replay.ts';
import { retentionCommand } from './retention.ts';
import { rulesCommand } from './rules.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { subjectCommand } from './subjects.ts';
import { tapCommand } from './tap.ts';
import { topicsCommand } from './topics.ts';
import { trustCommand } from './trust.ts';
import { verifyCommand } from './verify.ts';
import { version } from './version.ts';
import { witnessCommand } from './witness.ts';

/**
 * Runs one command line and resolves with the exit code. Results go to stdout, everything else to stderr; a failure is
 * one sentence, as JSON when the command was asked for `--json`.
 */
export async function run(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok;
  try {
    await newProgram((code) => (exitCode = code)).parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (!(error instanceof CustodyError)) throw error;
    process.stderr.write(
      argv.includes('--json')
        ? `${JSON.stringify({ error: { code: error.code, message: error.message, path: error.path } })}\n`
        : `custody: ${error.message}\n`,
    );
    return exitCodeOf(error);
  }
}

/** Every command, its parts below it; a wrong command line is thrown as a CommanderError. */
export function newProgram(setExitCode: SetExitCode): Command {
  const program = new Command('custody')
    .description('Audit and detection for what AI agents do through MCP tools')
    .version(version)
    .showHelpAfterError('(run with --help for the options)')
    .addHelpText(
      'after',
      `
Examples:
  custody start                                        run the whole pipeline in this process
  custody tap --server files -- npx server-filesystem .  record a stdio MCP server
  custody verify                                       prove the store untouched
  custody query "SELECT tool_name, count() FROM custody.tool_calls GROUP BY 1"
  custody alerts --follow                              watch alerts as they come

Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 store invalid, 4 undecidable, 5 in use, 6 unavailable`,
    );
  const commands = [
    startCommand,
    tapCommand,
    verifyCommand,
    queryCommand,
    alertsCommand,
    incidentCommand,
    replayCommand,
    backtestCommand,
    evalCommand,
    refillCommand,
    statusCommand,
    migrateCommand,
    topicsCommand,
    keysCommand,
    notaryCommand,
    trustCommand,
    witnessCommand,
    retentionCommand,
    holdCommand,
    receiptCommand,
    bundleCommand,
    rulesCommand,
    subjectCommand,
    registryCommand,
    configCommand,
  ];
  for (const create of commands) program.addCommand(create(setExitCode));
  throwUsageErrors(program);
  return program;
}

/** Parts do not take this over from the group they are added to. */
function throwUsageErrors(command: Command): void {
  command.exitOverride();
  for (const part of command.commands) throwUsageErrors(part);
}
