import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, IntegrityError, TransientError } from '../runtime/errors.ts';
import { kekCheck, parseKeyFile, unwrapKey, type KeyFile, type SubjectKey } from './key-file.ts';

/**
 * The keys of subjects: a directory of its own beside log and ledger, one file for each subject, so that one key can be
 * overwritten and removed without touching another. Processes on one machine may share it.
 *
 * `store.json` · `kek` (unless configured) · `keys/<tenant>/<xx>/<subject>.key` · `drafts/` · `erasures.jsonl`
 */
export interface KeyStore {
  /** First part of the id of every key made here. */
  readonly id: string;
  readonly directory: string;
  readonly kek: Uint8Array;
}

const storeFileSchema = z.strictObject({
  schema: z.literal('custody.subject-keys/v1'),
  store_id: z.string().regex(/^[0-9a-f]{8}$/),
  kek_check: z.string().regex(/^[0-9a-f]{16}$/),
});

/** A draft this old belongs to a process that was killed. */
const DRAFT_MAX_AGE_MS = 3_600_000;

/**
 * Opens the store; `make` makes a missing one.
 * @throws ConfigError for a key-encryption key that is not the store's, or no store; IntegrityError for a damaged one;
 * TransientError (`disk_full`, `unavailable`).
 */
export function openKeyStore(options: {
  readonly directory: string;
  readonly kek: Uint8Array;
  readonly make: boolean;
  readonly nowMs: number;
}): KeyStore {
  const { directory, kek, make, nowMs } = options;
  const path = join(directory, 'store.json');
  try {
    if (make) {
      mkdirSync(join(directory, 'drafts'), { recursive: true, mode: 0o700 });
      if (!existsSync(path)) makeStoreFile(directory, path, kek);
      removeOldDrafts(directory, nowMs);
    }
    const id = readStoreFile(path, kek);
    if (make) mkdirSync(join(directory, 'keys'), { recursive: true, mode: 0o700 });
    return { id, directory, kek };
  } catch (cause) {
    if (cause instanceof ConfigError || cause instanceof IntegrityError) throw cause;
    throw diskError(`open key store ${directory}`, cause);
  }
}

function makeStoreFile(directory: string, path: string, kek: Uint8Array): void {
  if (existsSync(join(directory, 'keys')))
    throw new IntegrityError(`cannot open key store ${directory}: it has keys and no store.json`);
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const content = {
    schema: 'custody.subject-keys/v1',
    store_id: randomBytes(4).toString('hex'),
    kek_check: kekCheck(kek),
  };
  writeFileSync(draft, `${JSON.stringify(content)}\n`, { flag: 'wx', mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (cause) {
    // Another process was first: its store is read below like any other.
    if (errnoOf(cause) !== 'EEXIST') throw cause;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readStoreFile(path: string, kek: Uint8Array): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw cause;
    throw new ConfigError(
      `cannot open key store: there is no ${path} (subjects.enabled makes one at start)`,
      {
        path: 'subjects.directory',
      },
    );
  }
  const parsed = storeFileSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new IntegrityError(`cannot open key store: ${path} is damaged`);
  if (parsed.data.kek_check !== kekCheck(kek)) {
    throw new ConfigError(
      `cannot open key store: subjects.kek is not the key-encryption key that ${path} was made with`,
      { path: 'subjects.kek' },
    );
  }
  return parsed.data.store_id;
}

function removeOldDrafts(directory: string, nowMs: number): void {
  const drafts = join(directory, 'drafts');
  for (const name of readdirSync(drafts)) {
    const path = join(drafts, name);
    const age = nowMs - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? nowMs);
    if (age > DRAFT_MAX_AGE_MS) rmSync(path, { force: true });
  }
}

/** Directory and file of a subject's key. Tenant and subject have alphabets without slash, and begin with a letter or digit. */
export function placeOfKey({ directory }: KeyStore, tenant: string, subject: string) {
  const tenantDirectory = join(directory, 'keys', tenant);
  const shard = join(tenantDirectory, subject.slice(5, 7));
  return { tenantDirectory, shard, path: join(shard, `${subject}.key`) };
}

/**
 * What the file of a subject's key says; `undefined` when there is none.
 * @throws IntegrityError when it is damaged; TransientError when it cannot be read.
 */
export function readKeyFile(store: KeyStore, tenant: string, subject: string): KeyFile | undefined {
  const { path } = placeOfKey(store, tenant, subject);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw diskError(`read key file ${path}`, cause);
  }
  const file = parseKeyFile(text, tenant, subject);
  if (file === undefined) throw new IntegrityError(`cannot use key file ${path}: it is damaged`);
  return file;
}

/** The subject's key; `undefined` when there is none. Throws as `readKeyFile`. */
export function readKey(store: KeyStore, tenant: string, subject: string): SubjectKey | undefined {
  const file = readKeyFile(store, tenant, subject);
  if (file === undefined) return undefined;
  const key = unwrapKey(store.kek, file);
  if (key === undefined) {
    const { path } = placeOfKey(store, tenant, subject);
    throw new IntegrityError(`cannot use key file ${path}: it is damaged or of another key-encryption key`);
  }
  return key;
}

/** Every key there is, or of one tenant; `undefined` in place of what a damaged file would say. */
export async function* listKeys(
  store: KeyStore,
  tenant?: string,
): AsyncIterable<{ tenant: string; subject: string; file: KeyFile | undefined }> {
  const root = join(store.directory, 'keys');
  const tenants = tenant === undefined ? names(root) : [tenant];
  for (const one of tenants) {
    for (const shard of names(join(root, one))) {
      for await (const { name } of await opendir(join(root, one, shard))) {
        const subject = /^(subj-[0-9a-f]{32})\.key$/.exec(name)?.[1];
        if (subject === undefined) continue;
        const file = readOrDamaged(store, one, subject);
        if (file !== 'gone') yield { tenant: one, subject, file };
      }
    }
  }
}

function readOrDamaged(store: KeyStore, tenant: string, subject: string): KeyFile | undefined | 'gone' {
  try {
    return readKeyFile(store, tenant, subject) ?? 'gone';
  } catch (error) {
    if (error instanceof IntegrityError) return undefined;
    throw error;
  }
}

function names(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).sort() : [];
}

/** A failure of the file system under the key store, classified. */
export function diskError(doing: string, cause: unknown): TransientError {
  const errno = errnoOf(cause);
  return new TransientError(errno === 'ENOSPC' ? 'disk_full' : 'unavailable', `cannot ${doing}: ${errno}`, {
    cause,
  });
}

export function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
