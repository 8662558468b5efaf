import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { TransientError } from '../runtime/errors.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';

/** Receipts that were used, one empty file for each: of two processes that use one at once, one succeeds. */
export interface UsedReceipts {
  /** False when it was used before. On disk when it resolves. */
  use(issuer: string, receiptId: string): Promise<boolean>;
}

/** @throws TransientError when the directory cannot be written: a receipt nobody can remember is not used. */
export function openUsedReceipts(directory: string): UsedReceipts {
  return {
    async use(issuer, receiptId) {
      const name = createHash('sha256').update(`${issuer}\n${receiptId}`).digest('hex');
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        const file = await open(join(directory, name), 'wx', 0o600);
        await file.close();
        await syncDirectory(directory);
        return true;
      } catch (cause) {
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
        if (errno === 'EEXIST') return false;
        throw new TransientError('unavailable', `cannot remember used receipts in ${directory}: ${errno}`, {
          cause,
        });
      }
    },
  };
}
