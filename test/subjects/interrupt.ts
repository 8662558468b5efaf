import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Moment = 'before' | 'after';

/** Thrown out of the file system where the process would have been killed; nothing of it goes on afterwards. */
export class Killed extends Error {}

const PROMISES = ['open', 'rm', 'rename', 'link', 'mkdir'] as const;
const HANDLE = ['write', 'writeFile', 'appendFile', 'truncate', 'sync', 'datasync'] as const;

/**
 * Runs `work` with the file system dying at its n-th call: before the call has its effect, or after. Every later call dies
 * too, as after kill -9. Tells how many calls there were and whether the work came to its end.
 */
export async function killedAt(
  n: number,
  moment: Moment,
  work: () => Promise<unknown>,
): Promise<{ ended: boolean; error: unknown }> {
  const probe = await mkdtemp(join(tmpdir(), 'custody-probe-'));
  await writeFile(join(probe, 'file'), '');
  const handle = await open(join(probe, 'file'), 'r');
  const prototype = Object.getPrototypeOf(handle) as object;
  await handle.close();
  await rm(probe, { recursive: true });

  const restore: (() => void)[] = [];
  let count = 0;
  const patch = (target: object, name: string) => {
    const real = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
    restore.push(() => Reflect.set(target, name, real));
    Reflect.set(target, name, async function (this: unknown, ...args: unknown[]) {
      const at = ++count;
      if (at > n || (at === n && moment === 'before')) throw new Killed();
      const result = await real.apply(this, args);
      if (at !== n) return result;
      if (name === 'open') await (result as FileHandle).close();
      throw new Killed();
    });
  };
  for (const name of PROMISES) patch(fs.promises, name);
  for (const name of HANDLE) patch(prototype, name);
  syncBuiltinESMExports();
  try {
    await work();
    return { ended: true, error: undefined };
  } catch (error) {
    return { ended: false, error };
  } finally {
    for (const action of restore) action();
    syncBuiltinESMExports();
  }
}
