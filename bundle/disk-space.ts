import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ConfigError, TransientError } from '../runtime/errors.ts';
import type { CaseScope } from './scope.ts';

/** Entry lines, timeline and spans beside each other, then the zip: a body needs about this many times its size. */
const DISK_FACTOR = 5;

/** Better before than after an hour. */
export async function requireSpace(outFile: string, { logs }: CaseScope): Promise<void> {
  const directory = dirname(resolve(outFile));
  const needed = logs.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0) * DISK_FACTOR;
  let free: number;
  try {
    const { bavail, bsize } = await statfs(directory);
    free = bavail * bsize;
  } catch (cause) {
    throw new ConfigError(`cannot write bundle ${outFile}: there is no directory ${directory}`, {
      ...{ path: '--out', cause },
    });
  }
  if (free < needed)
    throw new TransientError(
      'disk_full',
      `cannot write bundle ${outFile}: it needs about ${inMiB(needed)} MiB beside the file and ${inMiB(free)} MiB are free; name another place with --out`,
    );
}

const inMiB = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
