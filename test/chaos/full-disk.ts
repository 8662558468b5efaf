import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../support/pipeline-process.ts';
import { isAlive, seconds, type Arena } from './arena.ts';

const DISK_MIB = 512;

/** Whether this machine lets a test mount a disk of its own. */
export function canMountDisks(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'custody-mount-'));
  try {
    mount(folder);
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const mount = (folder: string) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'none', folder], { stdio: 'ignore' });

/**
 * Moves a broker's log directory to a small disk, fills that disk under load until the broker gives up, and brings the
 * broker back once there is room: first on the small disk, then on its own again.
 */
export async function fillDiskOf({ fleet: { kafka } }: Arena, id: number): Promise<void> {
  const data = dataFolderOf(kafka.brokers.find((broker) => broker.id === id)?.pid ?? 0);
  await kafka.kill(id, 'SIGTERM');
  await move(data, () => mount(data));
  try {
    await kafka.restart(id);
    await seconds(1);
    const filler = join(data, 'filler');
    fill(filler);
    await until('the broker to give up on its full disk', () => !isAlive(pidOf(kafka, id)));
    await seconds(3);
    rmSync(filler);
    await kafka.restart(id);
    await seconds(2);
  } finally {
    await kafka.kill(id, 'SIGTERM');
    await move(data, () => execFileSync('umount', [data]));
    await kafka.restart(id);
  }
}

const pidOf = (kafka: Arena['fleet']['kafka'], id: number): number =>
  kafka.brokers.find((broker) => broker.id === id)?.pid ?? 0;

/** The broker's last argument is its properties file. */
function dataFolderOf(pid: number): string {
  const properties = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').at(-2) ?? '';
  return join(dirname(properties), 'data');
}

const run = promisify(execFile);

/** Does `change` to what is mounted at the folder and keeps the folder's files. */
async function move(folder: string, change: () => void): Promise<void> {
  const aside = mkdtempSync(join(tmpdir(), 'custody-aside-'));
  await run('cp', ['-a', '--sparse=always', `${folder}/.`, aside]);
  change();
  await run('find', [folder, '-mindepth', '1', '-delete']);
  await run('cp', ['-a', '--sparse=always', `${aside}/.`, folder]);
  rmSync(aside, { recursive: true, force: true });
}

/** Writes until the disk takes no more. */
function fill(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, 'w');
  try {
    for (const size of [1 << 20, 1 << 12]) {
      const block = Buffer.alloc(size, 1);
      for (;;) if (!written(descriptor, block)) break;
    }
  } finally {
    closeSync(descriptor);
  }
}

function written(descriptor: number, block: Buffer): boolean {
  try {
    return writeSync(descriptor, block) === block.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
