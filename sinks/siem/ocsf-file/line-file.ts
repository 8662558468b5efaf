import { constants, type Stats } from 'node:fs';
import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, TransientError } from '../../../runtime/errors.ts';

export interface LineFile {
  /**
   * Appends whole lines, each ending in a line feed; with `fsync` they are on disk when it resolves. On failure none
   * of the bytes stay.
   * @throws TransientError `disk_full` or `unavailable`; the same lines may be appended again.
   */
  append(lines: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface LineFileOptions {
  readonly path: string;
  readonly fsync: boolean;
  /** No line is longer: an unfinished tail beyond it means the file is not ours. */
  readonly lineMaxBytes: number;
}

const diskFull = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Opens an append-only file of JSON lines, mode 0600, one writer. A line torn by a crash is repaired: finished if it
 * is whole JSON, cut off otherwise (it was never acknowledged and comes again). The file may be renamed or truncated
 * by logrotate at any time.
 * @throws ConfigError when the path is no regular file, or ends in something no writer of ours wrote.
 */
export async function openLineFile(options: LineFileOptions): Promise<LineFile> {
  let handle: FileHandle | undefined = await openRepaired(options);

  const current = async (): Promise<FileHandle> => {
    if (handle !== undefined && !(await isStill(handle, options.path))) {
      await handle.close();
      handle = undefined;
    }
    handle ??= await openRepaired(options);
    return handle;
  };

  return {
    async append(lines) {
      let target: FileHandle;
      try {
        target = await current();
      } catch (cause) {
        throw classify(options.path, cause);
      }
      const beforeBytes = (await target.stat()).size;
      try {
        await writeAll(target, lines);
        if (options.fsync) await target.datasync();
      } catch (cause) {
        // After a failed fsync nothing is known about the pages: give the file back as it was, open it anew next time.
        await rollBack(target, beforeBytes);
        await target.close().catch(() => undefined);
        handle = undefined;
        throw classify(options.path, cause);
      }
    },
    async close() {
      await handle?.close();
      handle = undefined;
    },
  };
}

async function openRepaired(options: LineFileOptions): Promise<FileHandle> {
  const folder = dirname(options.path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
  const handle = await open(options.path, flags, 0o600);
  try {
    const status = await handle.stat();
    if (!status.isFile())
      throw new ConfigError(`cannot write ${options.path}: not a regular file`, { path: 'path' });
    await repairTail(handle, status, options);
    if (options.fsync) await syncFolder(folder);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function repairTail(handle: FileHandle, { size }: Stats, options: LineFileOptions): Promise<void> {
  const window = Buffer.alloc(Math.min(size, options.lineMaxBytes + 1));
  await handle.read(window, 0, window.length, size - window.length);
  const tail = window.subarray(window.lastIndexOf(0x0a) + 1);
  if (tail.length === 0) return;
  if (tail.length > options.lineMaxBytes)
    throw new ConfigError(`cannot append to ${options.path}: it does not end in a line of alerts`, {
      path: 'path',
    });
  if (isJson(tail)) await writeAll(handle, Buffer.from('\n'));
  else await handle.truncate(size - tail.length);
  if (options.fsync) await handle.sync();
}

function isJson(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

/** A full disk takes a part of a write: the rest is tried until the kernel says why not. */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
}

/** Never makes the file longer: logrotate's copytruncate may have emptied it meanwhile, and a hole is no line. */
async function rollBack(handle: FileHandle, beforeBytes: number): Promise<void> {
  try {
    if ((await handle.stat()).size > beforeBytes) await handle.truncate(beforeBytes);
  } catch {
    // The tail is repaired when the file is opened again.
  }
}

async function isStill(handle: FileHandle, path: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
  return theirs?.ino === ours.ino && theirs.dev === ours.dev;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function classify(path: string, cause: unknown): Error {
  const code = (cause as NodeJS.ErrnoException).code;
  if (cause instanceof ConfigError) return new TransientError('unavailable', cause.message, { cause, path });
  if (code === undefined) return cause as Error;
  return new TransientError(
    diskFull.has(code) ? 'disk_full' : 'unavailable',
    `cannot append to ${path}: ${code}`,
    {
      cause,
    },
  );
}
