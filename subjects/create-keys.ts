import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TransientError } from '../runtime/errors.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';
import { formatKeyFile, type SubjectKey } from './key-file.ts';
import { diskError, errnoOf, placeOfKey, type KeyStore } from './key-store.ts';

/**
 * Puts new keys on disk; tells of each, in order, `undefined` once a power loss cannot take it back, or why not. A key
 * appears complete or not at all. Of two processes that make a key for one subject one gets TransientError and must read
 * the other's.
 */
export async function createKeys(
  store: KeyStore,
  keys: readonly SubjectKey[],
  nowMs: number,
): Promise<(TransientError | undefined)[]> {
  const directories = new Set<string>();
  const results = await Promise.all(
    keys.map(async (key) => {
      try {
        await createKey(store, key, nowMs, directories);
        return undefined;
      } catch (cause) {
        return cause instanceof TransientError ? cause : diskError('make a subject key', cause);
      }
    }),
  );
  try {
    for (const directory of directories) await syncDirectory(directory);
    return results;
  } catch (cause) {
    return keys.map(() => diskError('make a subject key', cause));
  }
}

async function createKey(
  store: KeyStore,
  key: SubjectKey,
  nowMs: number,
  directories: Set<string>,
): Promise<void> {
  const { shard, path } = placeOfKey(store, key.tenant, key.subject);
  const made = await mkdir(shard, { recursive: true, mode: 0o700 });
  // Directories that were missing: their names are in their parents, from the first one made down to the shard.
  for (let at = shard; made !== undefined; at = dirname(at)) {
    directories.add(dirname(at));
    if (at === made) break;
  }
  const draft = join(store.directory, 'drafts', `${key.keyId}.${randomBytes(4).toString('hex')}`);
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(formatKeyFile(store.kek, key, nowMs));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, path);
    directories.add(shard);
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause;
    throw new TransientError('unavailable', `cannot make a key for ${key.subject}: it has one already`, {
      cause,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Moves a file that is no usable key out of the way, under a name that `destroyKey` finds; another key can be made then. */
export async function setAside(store: KeyStore, tenant: string, subject: string): Promise<void> {
  const { shard, path } = placeOfKey(store, tenant, subject);
  try {
    await rename(path, `${path}.damaged-${randomBytes(4).toString('hex')}`);
    await syncDirectory(shard);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw diskError('set a damaged key aside', cause);
  }
}
