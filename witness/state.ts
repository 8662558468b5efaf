import { hash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeHead } from '../evidence/merkle/proofs.ts';
import { parseCheckpoint } from '../evidence/note/checkpoint.ts';
import { verifiedBy, type VerifierKey } from '../evidence/note/key.ts';
import { formatNote, NoteFormatError, parseNote, type SignedNote } from '../evidence/note/note.ts';
import { type DirectoryLock, lockDirectory } from '../runtime/directory-lock.ts';
import { IntegrityError, TransientError } from '../runtime/errors.ts';

/** The largest tree a witness has signed for each log: what it must never go back from. */
export interface WitnessState {
  latest(origin: string): TreeHead | undefined;
  /** Resolves when the cosigned checkpoint is on disk, and takes effect only then. Throws a TransientError. */
  store(note: SignedNote): Promise<void>;
  close(): Promise<void>;
}

const SUFFIX = '.note';

/**
 * One file for each log in the directory, the cosigned checkpoint itself; held by this process alone.
 * @throws PermanentError (`locked`); IntegrityError for a file this witness has not signed.
 */
export async function openWitnessState(directory: string, key: VerifierKey): Promise<WitnessState> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock: DirectoryLock = await lockDirectory(directory);
  const heads = new Map<string, TreeHead>();
  try {
    for (const name of await readdir(directory)) {
      if (!name.endsWith(SUFFIX)) continue;
      const { origin, ...head } = await readCheckpoint(join(directory, name), key);
      if (name !== fileOf(origin))
        throw new IntegrityError(`cannot use ${join(directory, name)}: it is of another log`);
      heads.set(origin, head);
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
  return {
    latest: (origin) => heads.get(origin),
    async store(note) {
      const checkpoint = parseCheckpoint(note.text);
      if (checkpoint === undefined) throw new Error('the note is no checkpoint');
      await replaceFile(directory, fileOf(checkpoint.origin), formatNote(note));
      heads.set(checkpoint.origin, checkpoint);
    },
    close: () => lock.release(),
  };
}

/** Origins come from outside: a hash makes a file name of them. */
const fileOf = (origin: string) => `${hash('sha256', origin, 'hex')}${SUFFIX}`;

async function readCheckpoint(path: string, key: VerifierKey) {
  const note = parse(await readFile(path), path);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint === undefined || verifiedBy(note, [key]).by.length === 0)
    throw new IntegrityError(`cannot use ${path}: this witness has not signed what is in it`);
  return checkpoint;
}

function parse(bytes: Uint8Array, path: string): SignedNote {
  try {
    return parseNote(bytes);
  } catch (cause) {
    if (!(cause instanceof NoteFormatError)) throw cause;
    throw new IntegrityError(`cannot use ${path}: it is not a signed note`, { cause });
  }
}

/** After a crash the file holds the old text or the new one, whole. */
async function replaceFile(directory: string, name: string, text: string): Promise<void> {
  const path = join(directory, name);
  try {
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    const folder = await open(directory, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    const code = errno === 'ENOSPC' ? 'disk_full' : 'unavailable';
    throw new TransientError(code, `cannot write ${path}: ${errno ?? 'unknown error'}`, { cause });
  }
}
