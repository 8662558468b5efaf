import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TransientError } from './errors.ts';
import { syncDirectory } from './sync-directory.ts';

/**
 * Puts new content under a name, readable by its owner alone. After a crash the file holds the old content or the new one,
 * whole. Rejects with TransientError (`disk_full`, `unavailable`); then the new content may be there or not.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new TransientError(
      errno === 'ENOSPC' ? 'disk_full' : 'unavailable',
      `cannot write ${path}: ${errno}`,
      { cause },
    );
  }
}
