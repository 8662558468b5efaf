import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../runtime/directory-lock.ts';
import { PermanentError } from '../../runtime/errors.ts';

const script = fileURLToPath(new URL('child/hold-log.ts', import.meta.url));
const children: ChildProcess[] = [];
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-log-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await rm(directory, { recursive: true, force: true });
});

async function holdLog(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

const lockFiles = async () => (await readdir(directory)).filter((name) => name.startsWith('lock-'));

describe('the data directory', () => {
  it('is refused while another process has it, naming that process, and free after kill -9', async () => {
    const { child, said } = await holdLog();
    expect(said).toBe('open');
    const refused = lockDirectory(directory);
    await expect(refused).rejects.toBeInstanceOf(PermanentError);
    await expect(refused).rejects.toMatchObject({
      code: 'locked',
      message: `cannot open data directory ${directory}: another custody process (pid ${child.pid!}) uses it`,
    });
    await kill(child);
    expect(await lockFiles()).toHaveLength(1);
    const lock = await lockDirectory(directory);
    expect(await lockFiles()).toHaveLength(1);
    await lock.release();
    expect(await lockFiles()).toHaveLength(0);
  });

  it('stays locked while its process is stopped', async () => {
    const { child } = await holdLog();
    child.kill('SIGSTOP');
    await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'locked' });
    child.kill('SIGCONT');
  });

  it('is given to at most one of several processes that start together', async () => {
    const said = (await Promise.all([holdLog(), holdLog(), holdLog()])).map((each) => each.said);
    expect(said.filter((each) => each === 'open').length).toBeLessThanOrEqual(1);
    expect(said.filter((each) => each === 'locked').length).toBeGreaterThanOrEqual(2);
  });

  it('is refused to the process that has it already', async () => {
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toMatchObject({
      code: 'locked',
      message: `cannot open data directory ${directory}: this process already uses it`,
    });
    await lock.release();
    await lock.release();
    await (await lockDirectory(directory)).release();
  });

  it('may have a path longer than a socket address', async () => {
    const long = join(directory, 'x'.repeat(120), 'y'.repeat(120));
    await mkdir(long, { recursive: true });
    const lock = await lockDirectory(long);
    await expect(lockDirectory(long)).rejects.toMatchObject({ code: 'locked' });
    await lock.release();
  });
});
