import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, CustodyError, TransientError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { syncDirectory } from '../../runtime/sync-directory.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import type { Anchor } from '../anchor.ts';
import { formatCheckpointLine } from './checkpoint-line.ts';
import { fileLines } from './file-lines.ts';
import { isHeld } from './held.ts';
import { createTurn } from './in-turn.ts';

const DISK_FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/**
 * One line of JSON for each checkpoint, appended and on disk when `publish` resolves. Nothing in the file is ever changed
 * or cut off: a torn line is ended by the next. The directory is not made: where a mount is missing, that would put the
 * file on the disk it is to be apart from.
 * @throws ConfigError when the directory is not there.
 */
export async function openFileAnchor(
  { id, path }: AnchorConfigOf<'file'>,
  { logger }: { readonly logger: Logger },
): Promise<Anchor> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (folder?.isDirectory() !== true) {
    const key = `notary.anchors.${id}.path`;
    throw new ConfigError(`cannot use ${key}: there is no directory ${dirname(path)}`, { path: key });
  }
  const inTurn = createTurn();
  const lines = fileLines(path, () =>
    logger.warn({ anchor: id }, 'an anchor file has a line that was cut off'),
  );
  /** Set after a failed write: what is in the file then may not be on the disk. */
  let isDoubtful = false;

  async function append(line: string): Promise<void> {
    const isNew = !lines.isThere;
    const file = await open(path, APPEND, 0o600);
    try {
      isDoubtful = true;
      await writeAll(file, Buffer.from(`${lines.isTorn ? '\n' : ''}${line}\n`));
      await file.sync();
    } finally {
      await file.close();
    }
    if (isNew) await syncDirectory(dirname(path));
    isDoubtful = false;
  }

  return {
    id,
    type: 'file',
    publish: (checkpoint) =>
      inTurn(async () => {
        try {
          await lines.catchUp();
          if (!isHeld(path, lines.largest(checkpoint.origin), checkpoint) || isDoubtful)
            await append(formatCheckpointLine(checkpoint));
        } catch (cause) {
          throw classified('write', path, cause);
        }
        return { type: 'place', place: path };
      }),
    latest: (origin) =>
      inTurn(async () => {
        try {
          await lines.catchUp();
        } catch (cause) {
          throw classified('read', path, cause);
        }
        return lines.largest(origin);
      }),
    close: () => inTurn(() => Promise.resolve()),
  };
}

/** A full disk takes a part of a write: the rest is tried until the system says why not. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten;
}

function classified(verb: string, path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (cause instanceof CustodyError || code === undefined) return cause;
  const kind = DISK_FULL.has(code) ? 'disk_full' : 'unavailable';
  return new TransientError(kind, `cannot ${verb} ${path}: ${code}`, { cause });
}
