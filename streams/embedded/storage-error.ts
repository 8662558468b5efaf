import { statfs } from 'node:fs/promises';
import { CustodyError, DamageError, TransientError } from '../../runtime/errors.ts';

// lmdb.h error codes; positive codes are errno values.
const DAMAGED = new Set([-30797, -30796, -30793, -30794, -30778]);
const MAP_FULL = -30792;
const ENOSPC = 28;
const EDQUOT = process.platform === 'darwin' ? 69 : 122;

/** Free space below which a failed write is put down to a full disk, and the log is not opened at all. */
export const FREE_MIN_BYTES = 1024 * 1024;

export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

function codeOf(cause: unknown): number | undefined {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
}

export function hasStorageCode(cause: unknown): boolean {
  return codeOf(cause) !== undefined;
}

/** Classifies an error of the storage engine, by code. `what` completes "cannot ...", such as `write the log`. */
export function storageError(what: string, cause: unknown): CustodyError {
  if (cause instanceof CustodyError) return cause;
  const code = codeOf(cause);
  if (code === ENOSPC || code === EDQUOT || code === MAP_FULL) {
    return new TransientError('disk_full', `cannot ${what}: no space left on the device`, { cause });
  }
  if (code !== undefined && DAMAGED.has(code)) {
    return new DamageError(`cannot ${what}: the log file is damaged (code ${code})`, { cause });
  }
  return new TransientError('unavailable', `cannot ${what}: storage error ${code ?? 'without a code'}`, {
    cause,
  });
}

/**
 * Classifies a failed commit of about `bytes` bytes. A write that was cut short by a full disk is reported by the
 * engine as an I/O error, so the free space decides.
 */
export async function commitError(directory: string, bytes: number, cause: unknown): Promise<CustodyError> {
  const detail = (cause as { commitError?: Promise<unknown> } | undefined)?.commitError;
  const reason: unknown =
    detail === undefined
      ? cause
      : await detail.then(
          () => cause,
          (inner: unknown) => inner,
        );
  const free = await freeBytes(directory).catch(() => Infinity);
  if (free < 2 * bytes + FREE_MIN_BYTES) {
    return new TransientError('disk_full', 'cannot write the log: no space left on the device', {
      cause: reason,
    });
  }
  return storageError('write the log', reason);
}
