import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Direction } from '../normalize/mcp.ts';
import type { ServerExit } from './recorder.ts';

export interface RelayOptions {
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Told each chunk after it was forwarded; must not keep it. */
  readonly observe: (direction: Direction, chunk: Uint8Array) => void;
  /** Reading pauses until this resolves. */
  readonly caughtUp: () => Promise<void> | undefined;
}

/** A running server between the two streams. */
export interface Relay {
  signal(signal: NodeJS.Signals): void;
  /** Resolves when the server is gone and the client has what it wrote. Never rejects. */
  readonly ended: Promise<ServerExit>;
}

/** After the exit, how long the server's stdout may stay open and silent (a grandchild holds it) before we go. */
const ORPHANED_STDOUT_MS = 1000;

/**
 * Starts the server and forwards bytes both ways as they are: nothing is parsed, changed, or waited for. stderr is the
 * server's own. Back-pressure passes through; a closed end on one side is closed on the other.
 */
export function startRelay(options: RelayOptions): Relay {
  const [file, ...args] = options.command;
  const server = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env: options.env });
  forward(options.stdin, server.stdin, 'client_to_server', options);
  const toClient = forward(server.stdout, options.stdout, 'server_to_client', options);
  options.stdin.once('end', () => server.stdin.end());

  const ended = new Promise<ServerExit>((resolve) => {
    const finish = (exit: ServerExit) => {
      options.stdin.destroy();
      void toClient.flushed().then(() => resolve(exit));
    };
    server.once('error', (error) => {
      if (server.pid === undefined)
        finish({ code: null, signal: null, spawnError: 'code' in error ? String(error.code) : 'unknown' });
    });
    server.once('exit', (code, signal) => {
      const watch = setInterval(() => {
        if (toClient.idleSinceMs() < ORPHANED_STDOUT_MS) return;
        server.stdout.destroy();
      }, ORPHANED_STDOUT_MS / 4);
      server.once('close', () => {
        clearInterval(watch);
        finish({ code, signal });
      });
      server.stdin.destroy();
    });
  });
  return { signal: (signal) => void server.kill(signal), ended };
}

interface Forwarding {
  /** Milliseconds since bytes last moved; 0 while some wait for the receiver. */
  idleSinceMs(): number;
  /** Resolves when all forwarded bytes are written or the receiver is gone. */
  flushed(): Promise<void>;
}

function forward(from: Readable, to: Writable, direction: Direction, options: RelayOptions): Forwarding {
  let unwritten = 0;
  let lastMs = performance.now();
  let onFlushed: () => void = () => undefined;
  const isFlushed = () => unwritten === 0 || to.destroyed || to.errored !== null;

  from.on('data', (chunk: Buffer) => {
    unwritten++;
    lastMs = performance.now();
    const isRoomLeft = to.write(chunk, () => {
      unwritten--;
      lastMs = performance.now();
      if (isFlushed()) onFlushed();
    });
    options.observe(direction, chunk);
    const caughtUp = options.caughtUp();
    if (isRoomLeft && caughtUp === undefined) return;
    from.pause();
    const drained = isRoomLeft ? undefined : new Promise<void>((resolve) => to.once('drain', resolve));
    void Promise.all([drained, caughtUp]).then(() => from.resume());
  });
  // A receiver that is gone: the sender must learn it the way it would without us, by its own broken pipe.
  to.on('error', () => {
    from.destroy();
    onFlushed();
  });
  to.on('close', () => onFlushed());
  from.on('error', () => from.destroy());
  return {
    idleSinceMs: () => (isFlushed() ? performance.now() - lastMs : 0),
    flushed: () =>
      new Promise((resolve) => {
        onFlushed = resolve;
        if (isFlushed()) resolve();
      }),
  };
}
