import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

/** Resolves when the port answers, usually within two seconds; `failed` tells that it never will, and why. */
export async function untilListening(port: number, failed: () => string | undefined): Promise<void> {
  const end = performance.now() + 120_000;
  while (performance.now() < end) {
    const complaint = failed();
    if (complaint !== undefined) throw new Error(`the receiver ended: ${complaint}`);
    const socket = connect(port, '127.0.0.1');
    const answered = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the receiver does not listen');
}

/** Resolves when the process is gone. */
export async function killed(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
