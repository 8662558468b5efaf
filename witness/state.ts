import { hash } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TreeHead } from '../evidence/merkle/proofs.ts';
import { parseCheckpoint } from '../evidence/note/checkpoint.ts';
import { verifiedBy, type VerifierKey } from '../evidence/note/key.ts';
import { formatNote, NoteFormatError, parseNote, type SignedNote } from '../evidence/note/note.ts';
import { type DirectoryLock, lockDirectory } from '../runtime/directory-lock.ts';
import { ConfigError, IntegrityError } from '../runtime/errors.ts';
import { replaceFile } from '../runtime/replace-file.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';

/** The largest tree a witness has signed for each log: what it must never go back from. */
export interface WitnessState {
  latest(origin: string): Signed | undefined;
  /** Resolves when the cosigned checkpoint is on disk, and takes effect only then. Throws a TransientError. */
  store(note: SignedNote): Promise<void>;
  close(): Promise<void>;
}

/** The head of a cosigned checkpoint, with the checkpoint. */
export interface Signed extends TreeHead {
  readonly note: SignedNote;
}

const SUFFIX = '.note';

/** Makes the directory of a witness that has signed nothing. Throws a ConfigError when there is one. */
export async function makeWitnessState(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
    await syncDirectory(dirname(directory));
  } catch (cause) {
    throw new ConfigError(`cannot make state ${directory}: ${errnoOf(cause)}`, { path: '--state', cause });
  }
}

/**
 * One file for each log in the directory, the cosigned checkpoint itself; held by this process alone.
 * A directory that is not there is no witness that has signed nothing: its state is elsewhere, or lost.
 * @throws ConfigError; PermanentError (`locked`); IntegrityError for a file this witness has not signed.
 */
export async function openWitnessState(directory: string, key: VerifierKey): Promise<WitnessState> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new ConfigError(
      `cannot open state ${directory}: it is not there; --new makes that of a new witness`,
      {
        path: '--state',
      },
    );
  }
  const lock: DirectoryLock = await lockDirectory(directory);
  const latest = new Map<string, Signed>();
  try {
    for (const name of await readdir(directory)) {
      if (!name.endsWith(SUFFIX)) continue;
      const { origin, ...signed } = await readCheckpoint(join(directory, name), key);
      if (name !== fileOf(origin))
        throw new IntegrityError(`cannot use ${join(directory, name)}: it is of another log`);
      latest.set(origin, signed);
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
  return {
    latest: (origin) => latest.get(origin),
    async store(note) {
      const checkpoint = parseCheckpoint(note.text);
      if (checkpoint === undefined) throw new Error('the note is no checkpoint');
      const text = formatNote(note);
      parseNote(text);
      await replaceFile(join(directory, fileOf(checkpoint.origin)), text);
      latest.set(checkpoint.origin, { ...checkpoint, note });
    },
    close: () => lock.release(),
  };
}

/** Origins come from outside: a hash makes a file name of them. */
const fileOf = (origin: string) => `${hash('sha256', origin, 'hex')}${SUFFIX}`;

async function readCheckpoint(path: string, key: VerifierKey) {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ConfigError(`cannot read ${path}: ${errnoOf(cause)}`, { path: '--state', cause });
  });
  const note = parse(bytes, path);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint === undefined || verifiedBy(note, [key]).by.length === 0)
    throw new IntegrityError(`cannot use ${path}: this witness has not signed what is in it`);
  return { ...checkpoint, note };
}

function parse(bytes: Uint8Array, path: string): SignedNote {
  try {
    return parseNote(bytes);
  } catch (cause) {
    if (!(cause instanceof NoteFormatError)) throw cause;
    throw new IntegrityError(`cannot use ${path}: it is not a signed note`, { cause });
  }
}

const errnoOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error';
