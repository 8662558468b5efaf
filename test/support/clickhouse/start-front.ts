import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CONTROL_PATH, type Fault, type SeenStatement, type ServerOptions } from './control.ts';
import type { TestClickHouse } from './start-clickhouse.ts';

export interface FrontOptions extends Partial<Omit<ServerOptions, 'directory'>> {
  /** Kept after `stop`; default: a temporary one that is removed. */
  readonly directory?: string;
}

/** The front takes orders for what should go wrong. */
export interface Front extends TestClickHouse {
  /** Replaces the planned faults. */
  plan(...faults: readonly Fault[]): Promise<void>;
  /** The statements that came since the last order, in order. */
  seen(): Promise<SeenStatement[]>;
  /** Resolves when the process that runs now has ended. */
  died(): Promise<void>;
}

const script = fileURLToPath(new URL('./chdb-http-server.ts', import.meta.url));

/** Starts ClickHouse's HTTP interface over chDB in a process of its own; every fault can be made to happen. */
export async function startFront(options: FrontOptions = {}): Promise<Front> {
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
  async function control(order: object): Promise<SeenStatement[]> {
    const response = await fetch(`http://127.0.0.1:${port}${CONTROL_PATH}`, {
      method: 'POST',
      body: JSON.stringify(order),
    });
    if (!response.ok) throw new Error(`the ClickHouse front refused an order: ${response.status}`);
    return (await response.json()) as SeenStatement[];
  }

  await start();
  return {
    url: `${options.certFile === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    description: `HTTP front over chDB ${version}`,
    username: options.user ?? 'default',
    password: options.password ?? '',
    real: false,
    kill,
    async restart() {
      await kill();
      await start();
    },
    pause() {
      child?.kill('SIGSTOP');
      return Promise.resolve();
    },
    resume() {
      child?.kill('SIGCONT');
      return Promise.resolve();
    },
    delay: (delayMs) => control({ delayMs }).then(() => undefined),
    plan: (...faults) => control({ faults }).then(() => undefined),
    seen: () => control({}),
    async died() {
      if (child !== undefined) await once(child, 'exit');
    },
    async stop() {
      await kill();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
