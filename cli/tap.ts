import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { eventsEndpoint } from '../collectors/tap/post-events.ts';
import type { Notice, RecorderOptions, ServerExit } from '../collectors/tap/recorder.ts';
import { startRecorderThread } from '../collectors/tap/recorder-thread.ts';
import { startRelay } from '../collectors/tap/relay.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { limits } from '../schemas/event/limits.ts';
import type { SetExitCode } from './options.ts';
import { intentOf, provenanceIn } from './tap-intent.ts';

interface TapOptions {
  readonly server: string;
  readonly client?: string;
  readonly tenant: string;
  readonly actor?: string;
  readonly session?: string;
  readonly collector: string;
  readonly dataDir: string;
  readonly spoolMaxMib: number;
  readonly drainMs: number;
  readonly intent?: string;
  readonly intentFile?: string;
  readonly config?: string;
}

const MiB = 1024 * 1024;
const LINE_MAX_BYTES = 16 * MiB;
const REQUEST_TIMEOUT_MS = 10_000;
const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
/** As shells say it: the command was not found, or could not be run. */
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_RUN = 126;

/** `custody tap`: sits between an MCP client and a stdio server, forwards every byte, records every message. */
export function tapCommand(setExitCode: SetExitCode = (code) => void (process.exitCode = code)): Command {
  return new Command('tap')
    .description(
      'record an MCP stdio server: run it, forward every byte unchanged, send a record of every message',
    )
    .requiredOption('--server <name>', 'name of the server in the records', bounded)
    .option('--client <name>', 'name of the client (default: what it says about itself)', bounded)
    .option('--tenant <id>', 'tenant the records belong to', tenant, 'default')
    .option('--actor <id>', 'the agent that makes the calls', bounded)
    .option('--session <key>', 'key of the agent task, if whoever starts the tap knows it', bounded)
    .addOption(
      new Option('--intent <text>', 'what the agent was asked; only fingerprints of its words are recorded'),
    )
    .addOption(
      new Option('--intent-file <file>', 'the same from a file, where other users cannot see it').conflicts(
        'intent',
      ),
    )
    .option('-c, --config <file>', 'configuration to take `ingest.provenance` from (default: its defaults)')
    .option('--collector <url>', 'where `custody start` listens', collector, 'http://127.0.0.1:4318')
    .option(
      '-d, --data-dir <dir>',
      'for the digest key and the spool',
      process.env['CUSTODY_DATA_DIR'] ?? './data',
    )
    .option('--spool-max-mib <n>', 'disk space for records the collector has not taken', mebibytes, 256)
    .option(
      '--drain-ms <n>',
      'how long the end waits for the collector; what is left then is sent by the next tap',
      milliseconds,
      2000,
    )
    .argument('<command...>', 'the server, after --')
    .addHelpText('after', examples)
    .action(async (command: [string, ...string[]], options: TapOptions) => {
      const exit = await tap(command, options);
      for (const signal of PASSED_ON) process.removeAllListeners(signal);
      if (exit.signal !== null) process.kill(process.pid, exit.signal);
      setExitCode(exitCodeOf(exit));
    });
}

const examples = `
The server's exit code or signal becomes the tap's. If recording fails, the session goes on and stderr says so.
A bearer token for the collector is read from CUSTODY_TOKEN; the server does not see it.

Examples:
  custody tap --server files -- npx -y @modelcontextprotocol/server-filesystem /srv/docs

  custody tap --server mail --session task-7 --intent-file task.txt -- mail-server
                        whoever starts the agent tells its task: what it names is no surprise to detectors

  In a client's JSON configuration, put the tap before the command:
    { "mcpServers": { "files": {
        "command": "custody",
        "args": ["tap", "--server", "files", "--data-dir", "/var/lib/custody", "--",
                 "npx", "-y", "@modelcontextprotocol/server-filesystem", "/srv/docs"] } } }`;

async function tap(command: [string, ...string[]], options: TapOptions): Promise<ServerExit> {
  const { CUSTODY_TOKEN: token, ...serverEnv } = process.env;
  eventsEndpoint(options.collector, token, REQUEST_TIMEOUT_MS);
  const recorder = startRecorderThread({
    recorder: await recorderOptions(command, options, token),
    nowMs: () => performance.timeOrigin + performance.now(),
    onNotice: notify,
  });
  const relay = startRelay({
    command,
    env: serverEnv,
    stdin: process.stdin,
    stdout: process.stdout,
    observe: (direction, chunk) => recorder.observe(direction, chunk),
    caughtUp: () => recorder.caughtUp(),
  });
  const hurry = new AbortController();
  let isServerGone = false;
  for (const signal of PASSED_ON)
    process.on(signal, () => {
      if (isServerGone) hurry.abort();
      else relay.signal(signal);
    });
  const exit = await relay.ended;
  isServerGone = true;
  if (exit.spawnError !== undefined)
    notify({ level: 'warn', message: `cannot start server ${command[0]}: ${exit.spawnError}` });
  await recorder.end(exit, hurry.signal);
  return exit;
}

async function recorderOptions(
  command: readonly string[],
  options: TapOptions,
  token: string | undefined,
): Promise<RecorderOptions> {
  return {
    tap: {
      instance: randomBytes(8).toString('hex'),
      serverName: options.server,
      clientName: options.client,
      actorId: options.actor,
      sessionKey: options.session,
      runtimeId: `${userInfo().username}@${hostname()}`.slice(0, limits.idChars),
    },
    tenant: options.tenant,
    command,
    intent: intentOf(options),
    provenance: options.config === undefined ? undefined : await provenanceIn(options.config),
    dataDir: options.dataDir,
    collector: options.collector,
    token,
    spoolMaxBytes: options.spoolMaxMib * MiB,
    lineMaxBytes: LINE_MAX_BYTES,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    drainMs: options.drainMs,
  };
}

/** One JSON line on stderr, as pino writes them; pino itself would cost every tapped server its start-up time. */
function notify({ level, message }: Notice): void {
  process.stderr.write(
    `${JSON.stringify({ level: level === 'warn' ? 40 : 30, time: Date.now(), name: 'custody tap', msg: message })}\n`,
  );
}

function exitCodeOf(exit: ServerExit): number {
  if (exit.spawnError !== undefined) return exit.spawnError === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
  return exit.code ?? 1;
}

function bounded(value: string): string {
  if (value === '' || value.length > limits.nameChars)
    throw new InvalidArgumentError(`1 to ${limits.nameChars} characters.`);
  return value;
}

function tenant(value: string): string {
  if (!TENANT_PATTERN.test(value))
    throw new InvalidArgumentError('Lower-case letters, digits, ".", "_" and "-", at most 63.');
  return value;
}

function collector(value: string): string {
  eventsEndpoint(value, undefined, REQUEST_TIMEOUT_MS);
  return value;
}

function mebibytes(value: string): number {
  const parsed = Number(value);
  if (!Number.isInteger(parsed) || parsed < 1 || parsed > 1024 * 1024)
    throw new InvalidArgumentError('A whole number of MiB from 1.');
  return parsed;
}

function milliseconds(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isInteger(parsed) || parsed < 0 || parsed > 600_000)
    throw new InvalidArgumentError('A whole number of milliseconds, at most 600000.');
  return parsed;
}
