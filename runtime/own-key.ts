import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, TransientError } from './errors.ts';

const KEY_BYTES = 32;

/**
 * A key this deployment makes for itself: 32 random bytes as hex in a file of mode 0600, made if missing. The file appears
 * complete or not at all: several processes may start at the same moment. `what` names the key in errors.
 * @throws ConfigError if the file holds something else; TransientError (`disk_full`, `unavailable`) if it cannot be made.
 */
export function loadOwnKey(path: string, what: string): Uint8Array {
  return readOwnKey(path, what) ?? createKey(path, what);
}

/** The key of the file, `undefined` when there is none. Throws as `loadOwnKey`. */
export function readOwnKey(path: string, what: string): Uint8Array | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new TransientError('unavailable', `cannot read ${what} ${path}: ${errnoOf(cause)}`, { cause });
  }
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new ConfigError(`cannot use ${what} ${path}: it must hold ${KEY_BYTES} bytes as lower-case hex`);
  }
  return Buffer.from(text, 'hex');
}

/**
 * A key given as configuration.
 * @throws ConfigError naming `path`, never the key.
 */
export function parseKey(text: string, path: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  throw new ConfigError(
    `cannot use ${path}: it must hold ${KEY_BYTES} bytes as lower-case hex (openssl rand -hex ${KEY_BYTES})`,
    { path },
  );
}

function createKey(path: string, what: string): Uint8Array {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${randomBytes(KEY_BYTES).toString('hex')}\n`, {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
    linkOnce(draft, path);
  } catch (cause) {
    throw new TransientError(
      errnoOf(cause) === 'ENOSPC' ? 'disk_full' : 'unavailable',
      `cannot create ${what} ${path}: ${errnoOf(cause)}`,
      { cause },
    );
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readOwnKey(path, what);
  if (key === undefined) throw new TransientError('unavailable', `cannot read ${what} ${path}: it vanished`);
  return key;
}

/** Like O_EXCL for the final name: whoever is first decides, everyone then reads that file. */
function linkOnce(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
