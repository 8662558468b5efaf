import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('./run-tap.ts', import.meta.url));
const repository = fileURLToPath(new URL('../..', import.meta.url));

export interface TapArguments {
  readonly dataDir: string;
  readonly collector: string;
  readonly command: readonly string[];
  readonly more?: readonly string[];
}

/** The command line of a tap from the sources, for whoever starts it. */
export function tapArgv({ dataDir, collector, command, more = [] }: TapArguments): [string, ...string[]] {
  return [
    process.execPath,
    ...['--import', 'tsx', entry, 'tap', '--server', 'under-test', '--data-dir', dataDir],
    ...['--collector', collector, ...more, '--', ...command],
  ];
}

/** A server as a script for `node -e`. */
export const scripted = (script: string) => [process.execPath, '-e', script];

export interface RunningTap {
  readonly child: ChildProcess;
  readonly stdin: NonNullable<ChildProcess['stdin']>;
  /** stdout so far. */
  output(): Buffer;
  stderr(): string;
  /** Resolves when stdout holds at least this many bytes. */
  untilBytes(count: number): Promise<void>;
  untilStderr(pattern: RegExp): Promise<void>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

export function startTap(args: TapArguments, env: NodeJS.ProcessEnv = {}): RunningTap {
  const [file, ...rest] = tapArgv(args);
  const child = spawn(file, rest, { cwd: repository, env: { ...process.env, ...env } });
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let errors = '';
  const watchers = new Set<() => void>();
  const notify = () => {
    for (const watcher of [...watchers]) watcher();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    notify();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
    notify();
  });
  child.stdin.on('error', () => undefined); // a broken pipe is what some tests are about
  const until = (isTrue: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!isTrue()) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
    });
  return {
    child,
    stdin: child.stdin,
    output: () => Buffer.concat(chunks),
    stderr: () => errors,
    untilBytes: (count) => until(() => sizeBytes >= count),
    untilStderr: (pattern) => until(() => pattern.test(errors)),
    exited: new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal }))),
  };
}
