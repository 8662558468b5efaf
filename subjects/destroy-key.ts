import { randomBytes } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { IntegrityError } from '../runtime/errors.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';
import { diskError, errnoOf, placeOfKey, readKeyFile, type KeyStore } from './key-store.ts';

/**
 * Destroys a subject's key if it is still this one: overwrites the file in place with random bytes, puts that on disk,
 * removes the name, puts that on disk. Files of the subject that were set aside as damaged go the same way, for nobody
 * knows what can be read of them. Interrupted anywhere it can be done again; resolves when nothing is left to do.
 */
export async function destroyKey(
  store: KeyStore,
  tenant: string,
  subject: string,
  keyId: string,
): Promise<void> {
  const { shard, path } = placeOfKey(store, tenant, subject);
  try {
    if (!isLaterKey(store, tenant, subject, keyId)) await overwriteAndRemove(path);
    for (const name of await namesIn(shard))
      if (name.startsWith(`${subject}.key.damaged-`)) await overwriteAndRemove(join(shard, name));
    await syncDirectory(shard);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return;
    throw diskError(`destroy the key of ${subject}`, cause);
  }
}

/** After an interrupted erasure the subject may have a new key already. A half overwritten file is not one. */
function isLaterKey(store: KeyStore, tenant: string, subject: string, keyId: string): boolean {
  try {
    const file = readKeyFile(store, tenant, subject);
    return file !== undefined && file.key_id !== keyId;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}

async function overwriteAndRemove(path: string): Promise<void> {
  let handle;
  try {
    handle = await open(path, 'r+');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return;
    throw cause;
  }
  try {
    const { size } = await handle.stat();
    await handle.write(randomBytes(size), 0, size, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rm(path, { force: true });
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory);
}
