import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { lockDirectory } from '../runtime/directory-lock.ts';
import { ConfigError, CustodyError, PermanentError, TransientError } from '../runtime/errors.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';

export interface StagedFile {
  readonly sha256: string;
  readonly bytes: number;
}

/** A file of the bundle while it is written: text is gathered, hashed and written in blocks. */
export interface StagedWriter {
  /** Takes text; it goes to disk with the next `flush`. */
  push(text: string): void;
  /** Whether there is a block to write. */
  isFull(): boolean;
  /** Writes what was gathered if there is a block of it. */
  flush(): Promise<void>;
  /** Writes bytes that are no text. */
  writeBytes(bytes: Uint8Array): Promise<void>;
  close(): Promise<StagedFile>;
}

/**
 * Where a bundle is put together: a directory beside the file it becomes, so that the last step is a rename. The zip has
 * its names in order, the manifest among the last to be known and not the last to be written; hence not straight into it.
 */
export interface Staging {
  /** Every file so far, by its name in the bundle. */
  readonly files: ReadonlyMap<string, StagedFile>;
  /** Where a file of the bundle lies meanwhile. */
  pathOf(name: string): string;
  write(name: string, content: string | Uint8Array): Promise<void>;
  openFile(name: string): Promise<StagedWriter>;
  /** Where the zip is written. */
  readonly zipPath: string;
  /** The finished zip takes its place under the final name, and the rest goes. */
  publish(): Promise<void>;
  /** Leaves nothing behind; harmless after `publish`. */
  discard(): Promise<void>;
}

const BLOCK_CHARS = 1024 * 1024;
/** The alphabet of names in a bundle: nothing that a path, a manifest line or another system reads differently. */
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

/**
 * Makes the staging directory of a bundle file; what a killed run left there is removed first.
 * @throws ConfigError when the file exists already; PermanentError `locked` when another process writes it.
 */
export async function openStaging(outFile: string): Promise<Staging> {
  const target = resolve(outFile);
  if (existsSync(target))
    throw new ConfigError(`cannot write bundle ${outFile}: it exists, and evidence is never overwritten`, {
      path: '--out',
    });
  const directory = `${target}.partial`;
  const lock = await claim(directory, outFile);
  const bag = join(directory, 'bag');
  const zipPath = join(directory, 'bundle.zip');
  const files = new Map<string, StagedFile>();
  const made = new Set<string>();
  const handles = new Set<FileHandle>();

  function pathOf(name: string): string {
    if (!SAFE_NAME.test(name) || name.includes('..'))
      throw new RangeError(`no name for a bundle file: ${name}`);
    return join(bag, name);
  }
  async function discard(): Promise<void> {
    for (const handle of handles) await handle.close();
    handles.clear();
    await lock.release();
    await rm(directory, { recursive: true, force: true });
  }
  async function openFile(name: string): Promise<StagedWriter> {
    const path = pathOf(name);
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
    made.add(dirname(path));
    const handle = await open(path, 'wx', 0o600).catch(unwritable);
    handles.add(handle);
    const sha256 = createHash('sha256');
    let pending: string[] = [];
    let pendingChars = 0;
    let bytes = 0;
    const isFull = () => pendingChars >= BLOCK_CHARS;
    const drain = async (block: Uint8Array) => {
      sha256.update(block);
      bytes += block.length;
      await handle.writeFile(block).catch(unwritable);
    };
    const drainPending = async () => {
      const block = Buffer.from(pending.join(''), 'utf8');
      pending = [];
      pendingChars = 0;
      await drain(block);
    };
    return {
      push(text) {
        pending.push(text);
        pendingChars += text.length;
      },
      isFull,
      flush: async () => (isFull() ? drainPending() : undefined),
      async writeBytes(block) {
        await drainPending();
        await drain(block);
      },
      async close() {
        await drainPending();
        await handle.close();
        handles.delete(handle);
        const file = { sha256: sha256.digest('hex'), bytes };
        files.set(name, file);
        return file;
      },
    };
  }
  return {
    files,
    pathOf,
    zipPath,
    openFile,
    discard,
    async write(name, content) {
      const file = await openFile(name);
      if (typeof content === 'string') file.push(content);
      else await file.writeBytes(content);
      await file.close();
    },
    async publish() {
      if (existsSync(target))
        throw new ConfigError(`cannot write bundle ${outFile}: it was made meanwhile`, { path: '--out' });
      await rename(zipPath, target);
      await syncDirectory(dirname(target));
      await discard();
    },
  };
}

async function claim(directory: string, outFile: string) {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const lock = await lockDirectory(directory);
    for (const name of await readdir(directory))
      if (!name.startsWith('lock-')) await rm(join(directory, name), { recursive: true, force: true });
    return lock;
  } catch (cause) {
    if (cause instanceof PermanentError && cause.code === 'locked')
      throw new PermanentError('locked', `cannot write bundle ${outFile}: another process is writing it`, {
        cause,
      });
    return unwritable(cause);
  }
}

/** What the system says about a file, as one of our errors. */
export function unwritable(cause: unknown): never {
  if (cause instanceof CustodyError) throw cause;
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
  throw new TransientError(
    errno === 'ENOSPC' ? 'disk_full' : 'unavailable',
    `cannot write bundle: ${errno === 'ENOSPC' ? 'the disk is full; name another place with --out' : errno}`,
    { cause },
  );
}
