import { Command, CommanderError } from 'commander';
import { CustodyError } from '../runtime/errors.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import type { SetExitCode } from './options.ts';
import { version } from './version.ts';

/** Every command, in the order of the help; a module is read when its command is wanted: reading all takes half a second. */
const commands: Readonly<Record<string, () => Promise<(setExitCode: SetExitCode) => Command>>> = {
  start: async () => (await import('./start.ts')).startCommand,
  tap: async () => (await import('./tap.ts')).tapCommand,
  verify: async () => (await import('./verify.ts')).verifyCommand,
  query: async () => (await import('./query.ts')).queryCommand,
  alerts: async () => (await import('./alerts.ts')).alertsCommand,
  incident: async () => (await import('./incident.ts')).incidentCommand,
  replay: async () => (await import('./replay.ts')).replayCommand,
  backtest: async () => (await import('./backtest.ts')).backtestCommand,
  eval: async () => (await import('./eval.ts')).evalCommand,
  refill: async () => (await import('./refill.ts')).refillCommand,
  status: async () => (await import('./status.ts')).statusCommand,
  migrate: async () => (await import('./migrate.ts')).migrateCommand,
  topics: async () => (await import('./topics.ts')).topicsCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  notary: async () => (await import('./notary.ts')).notaryCommand,
  trust: async () => (await import('./trust.ts')).trustCommand,
  witness: async () => (await import('./witness.ts')).witnessCommand,
  retention: async () => (await import('./retention.ts')).retentionCommand,
  hold: async () => (await import('./hold.ts')).holdCommand,
  receipt: async () => (await import('./receipt.ts')).receiptCommand,
  bundle: async () => (await import('./bundle.ts')).bundleCommand,
  rules: async () => (await import('./rules.ts')).rulesCommand,
  subject: async () => (await import('./subjects.ts')).subjectCommand,
  registry: async () => (await import('./registry.ts')).registryCommand,
  config: async () => (await import('./config.ts')).configCommand,
};

/**
 * Runs one command line and resolves with the exit code. Results go to stdout, everything else to stderr; a failure is
 * one sentence, as JSON when the command was asked for `--json`.
 */
export async function run(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok;
  try {
    const program = await newProgram((code) => (exitCode = code), argv[2]);
    await program.parseAsync([...argv]);
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

/**
 * The named command, or every one where there is none of that name, its parts below it; a wrong command line is thrown as a
 * CommanderError.
 */
export async function newProgram(setExitCode: SetExitCode, commandName?: string): Promise<Command> {
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
  const wanted = commandName !== undefined && Object.hasOwn(commands, commandName);
  for (const [name, load] of Object.entries(commands))
    if (!wanted || name === commandName) program.addCommand((await load())(setExitCode));
  throwUsageErrors(program);
  return program;
}

/** Parts do not take this over from the group they are added to. */
function throwUsageErrors(command: Command): void {
  command.exitOverride();
  for (const part of command.commands) throwUsageErrors(part);
}
