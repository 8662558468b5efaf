import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const cliPath = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url));

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface PipelineProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly http: string;
  readonly grpc: string;
  readonly sql: string;
  readonly admin: string;
  readonly stderr: () => string;
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, then gone. */
  kill(): Promise<void>;
}

/** Starts the built pipeline as its users do, on free ports, and resolves when it is ready. */
export async function startPipelineProcess(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  nodeArguments: readonly string[] = [],
): Promise<PipelineProcess> {
  const child = spawn(
    process.execPath,
    [...nodeArguments, cliPath, 'start', '--json', '--data-dir', dataDir],
    {
      env: {
        ...process.env,
        CUSTODY_INGEST_HTTP_PORT: '0',
        CUSTODY_INGEST_GRPC_PORT: '0',
        CUSTODY_SQL_LISTENER_PORT: '0',
        CUSTODY_ADMIN_LISTENER_PORT: '0',
        CUSTODY_LOG_LEVEL: 'warn',
        // As `npm start` does.
        MALLOC_ARENA_MAX: '2',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-20_000)));
  const exited = once(child, 'exit');
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
  const first = await Promise.race([
    line,
    exited.then(([code]) => Promise.reject(new Error(`pipeline ended with ${String(code)}: ${stderr}`))),
  ]);
  const addresses = JSON.parse(first[0]) as Record<'http' | 'grpc' | 'sql' | 'admin', Endpoint>;
  const url = ({ host, port }: Endpoint) => `http://${host}:${port}`;
  return {
    child,
    pid: child.pid ?? -1,
    http: url(addresses.http),
    grpc: url(addresses.grpc),
    sql: url(addresses.sql),
    admin: url(addresses.admin),
    stderr: () => stderr,
    async stop() {
      child.kill('SIGTERM');
      return ((await exited) as [number | null])[0];
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Rows of one query over the pipeline's SQL endpoint. */
export async function queryRows<T>(pipeline: Pick<PipelineProcess, 'sql'>, sql: string): Promise<T[]> {
  const response = await fetch(`${pipeline.sql}/?default_format=JSONEachRow`, { method: 'POST', body: sql });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => JSON.parse(row) as T);
}

/** Runs one CLI command to its end. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [cliPath, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Waits until the condition holds; asks every 50 ms, fails after the deadline with what it was waiting for. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  deadlineMs = 180_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    if (await condition()) return;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
