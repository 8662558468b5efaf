import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, TransientError } from './errors.ts';

const KEY_BYTES = 32;

/**
 * The deployment's digest key, `<data dir>/digest.key` (32 bytes as hex, mode 0600), made at random if missing. Taps
 * and pipeline that share a data directory get the same key, so their digests of one value are equal. The file
 * appears complete or not at all: several processes may start at the same moment.
 * @throws ConfigError if the file holds something else; TransientError (`disk_full`, `unavailable`) if it cannot be made.
 */
export function loadDigestKey(dataDir: string): Uint8Array {
  const path = join(dataDir, 'digest.key');
  return readKey(path) ?? createKey(dataDir, path);
}

/**
 * The digest key of a fleet, given as configuration.
 * @throws ConfigError naming `path`, never the key.
 */
export function parseDigestKey(text: string, path: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  throw new ConfigError(
    `cannot use ${path}: it must hold ${KEY_BYTES} bytes as lower-case hex (openssl rand -hex ${KEY_BYTES})`,
    { path },
  );
}

function createKey(dataDir: string, path: string): Uint8Array {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${randomBytes(KEY_BYTES).toString('hex')}\n`, {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
    linkOnce(draft, path);
  } catch (cause) {
    throw new TransientError(
      errnoOf(cause) === 'ENOSPC' ? 'disk_full' : 'unavailable',
      `cannot create digest key ${path}: ${errnoOf(cause)}`,
      { cause },
    );
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readKey(path);
  if (key === undefined)
    throw new TransientError('unavailable', `cannot read digest key ${path}: it vanished`);
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

function readKey(path: string): Uint8Array | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new TransientError('unavailable', `cannot read digest key ${path}: ${errnoOf(cause)}`, { cause });
  }
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new ConfigError(`cannot use digest key ${path}: it must hold ${KEY_BYTES} bytes as lower-case hex`);
  }
  return Buffer.from(text, 'hex');
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
