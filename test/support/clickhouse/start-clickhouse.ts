import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CONTROL_PATH, type Fault, type ServerOptions } from './control.ts';

export interface StartOptions extends Partial<Omit<ServerOptions, 'directory'>> {
  /** Kept after `stop`; default: a temporary one that is removed. */
  readonly directory?: string;
}

/** A ClickHouse that a test may hurt. */
export interface TestClickHouse {
  readonly url: string;
  readonly description: string;
  /** SIGKILL; whatever it had not synced is gone. */
  kill(): Promise<void>;
  /** Kills it if it lives and starts it again on the same port and directory. */
  restart(): Promise<void>;
  /** SIGSTOP: it takes connections and says nothing. */
  pause(): void;
  resume(): void;
  /** Every statement waits this long before it runs. */
  delay(ms: number): Promise<void>;
  /** Replaces the planned faults. */
  plan(...faults: readonly Fault[]): Promise<void>;
  stop(): Promise<void>;
}

const script = fileURLToPath(new URL('./chdb-http-server.ts', import.meta.url));

/** Starts ClickHouse's HTTP interface over chDB in a process of its own; every fault can be made to happen. */
export async function startClickHouse(options: StartOptions = {}): Promise<TestClickHouse> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'custody-clickhouse-')));
  let port = options.port ?? 0;
  let child: ChildProcess | undefined;
  let version = '';

  async function start(): Promise<void> {
    const serverOptions: ServerOptions = { ...options, directory, port };
    const started = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(serverOptions)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, UV_THREADPOOL_SIZE: '12' },
    });
    child = started;
    const lines = createInterface({ input: started.stdout });
    const line = await Promise.race([
      once(lines, 'line').then(([text]) => text as string),
      once(started, 'exit').then(([code]) => {
        throw new Error(`the ClickHouse front ended with ${String(code)} before it listened`);
      }),
    ]);
    ({ port, version } = JSON.parse(line) as { port: number; version: string });
  }
  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill('SIGKILL');
    await gone;
  }
  async function control(order: object): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${port}${CONTROL_PATH}`, {
      method: 'POST',
      body: JSON.stringify(order),
    });
    if (!response.ok) throw new Error(`the ClickHouse front refused an order: ${response.status}`);
  }

  await start();
  return {
    url: `${options.certFile === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    description: `HTTP front over chDB ${version}`,
    kill,
    async restart() {
      await kill();
      await start();
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    delay: (delayMs) => control({ delayMs }),
    plan: (...faults) => control({ faults }),
    async stop() {
      await kill();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
