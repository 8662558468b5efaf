import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

/**
 * Starts a command, writes its pid, and kills it and removes the cluster's folder once standard input closes, which
 * happens also when the test process is killed: no broker outlives the tests.
 */
const watchdog = `
folder=$1 log=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
broker=$!
echo $broker
(cat <&3; kill -9 $broker; rm -rf "$folder") >/dev/null 2>&1 &
watcher=$!
wait $broker
code=$?
kill $watcher
exit $code
`;

export interface BrokerProcess {
  /** The pid of the Java process itself. */
  readonly pid: number;
  readonly exited: Promise<unknown>;
  isRunning(): boolean;
  /** Resolves when the signal is sent, for SIGKILL and SIGTERM when the process is gone. */
  signal(name: BrokerSignal): Promise<void>;
  logTail(): Promise<string>;
}

export type BrokerSignal = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT';

export async function startBrokerProcess(
  command: readonly string[],
  folder: string,
  logFile: string,
): Promise<BrokerProcess> {
  const child = spawn('sh', ['-c', watchdog, 'kafka-watchdog', folder, logFile, ...command], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let running = true;
  const exited = once(child, 'exit').finally(() => (running = false));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const pid = Number(line);
  return {
    pid,
    exited,
    isRunning: () => running,
    async signal(name) {
      if (!running) return;
      process.kill(pid, name);
      if (name === 'SIGKILL' || name === 'SIGTERM') await exited;
    },
    logTail: async () => (await readFile(logFile, 'utf8').catch(() => '')).slice(-3000),
  };
}
