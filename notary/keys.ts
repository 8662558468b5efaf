import { generateKeyPairSync } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  formatSigningKey,
  formatVerifierKey,
  parseSigningKey,
  type SigningKey,
  signingKey,
} from '../evidence/note/key.ts';
import { ConfigError, PermanentError, TransientError } from '../runtime/errors.ts';
import { replaceFile } from '../runtime/replace-file.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';

/** The key of a state directory that was given none. */
const OWN_KEY = 'notary.key';
/** The key that takes over, put here before the act that says so is asked for. */
export const NEXT_KEY = 'next.key';
/** The public half of the key in force, for those who verify on this machine. */
export const PUBLIC_KEY = 'notary.vkey';

/** Keys a notary has at hand: the one it is to sign with, and one that may take over. */
export interface NotaryKeys {
  /** The one a notary that has signed nothing begins with. */
  readonly current: SigningKey;
  /** Makes the key that took over the state directory's own; one that is configured is changed by whoever configures. */
  readonly settle: (inForce: SigningKey) => Promise<void>;
  /** Reads the key that is to take over; `undefined` when there is none. */
  readonly next: () => Promise<SigningKey | undefined>;
}

/**
 * The signing key: given, or the state directory's own, made at random if missing. After a rotation the key that took over
 * is used as soon as the state says so.
 * @throws ConfigError for a key that is none, or has another name than the log.
 */
export async function loadNotaryKeys(options: {
  readonly directory: string;
  readonly origin: string;
  /** Text of the configured key. */
  readonly configured: string | undefined;
}): Promise<NotaryKeys> {
  const { directory, origin, configured } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const next = () => readKey(join(directory, NEXT_KEY), origin);
  const settle = async (inForce: SigningKey) => {
    const taker = configured === undefined ? await next() : undefined;
    if (taker === undefined || formatVerifierKey(taker) !== formatVerifierKey(inForce)) return;
    await rename(join(directory, NEXT_KEY), join(directory, OWN_KEY));
    await syncDirectory(directory);
    keys.current = taker;
  };
  const current =
    configured === undefined
      ? ((await readKey(join(directory, OWN_KEY), origin)) ?? (await makeKey(directory, origin)))
      : parseKey(configured, 'notary.key', origin);
  const keys = { current, next, settle };
  return keys;
}

/** The key the state names, of those at hand. */
export async function keyInForce(keys: NotaryKeys, verifierKey: string): Promise<SigningKey> {
  if (formatVerifierKey(keys.current) === verifierKey) return keys.current;
  const next = await keys.next();
  if (next !== undefined && formatVerifierKey(next) === verifierKey) return next;
  throw new ConfigError(
    `cannot sign: the notary's state was signed with ${verifierKey}, the configured key is ${formatVerifierKey(keys.current)} (custody notary rotate changes keys)`,
    { path: 'notary.key' },
  );
}

/** Leaves the public half where `custody verify` finds it. */
export async function publishKey(directory: string, key: SigningKey): Promise<void> {
  await replaceFile(join(directory, PUBLIC_KEY), `${formatVerifierKey(key)}\n`);
}

async function makeKey(directory: string, origin: string): Promise<SigningKey> {
  const path = join(directory, OWN_KEY);
  const key = signingKey(origin, 'log', generateKeyPairSync('ed25519').privateKey);
  const draft = `${path}.${process.pid}`;
  try {
    await writeFile(draft, `${formatSigningKey(key)}\n`, { flag: 'w', mode: 0o600, flush: true });
    await link(draft, path);
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    if (errno !== 'EEXIST')
      throw new TransientError(
        errno === 'ENOSPC' ? 'disk_full' : 'unavailable',
        `cannot make key ${path}: ${errno}`,
        { cause },
      );
  } finally {
    await rm(draft, { force: true });
  }
  const made = await readKey(path, origin);
  if (made === undefined) throw new TransientError('unavailable', `cannot read key ${path}: it vanished`);
  return made;
}

async function readKey(path: string, origin: string): Promise<SigningKey | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT') return undefined;
    throw new PermanentError('rejected', `cannot read key ${path}: ${errno ?? 'unknown error'}`, { cause });
  }
  return parseKey(text, path, origin);
}

function parseKey(text: string, what: string, origin: string): SigningKey {
  let key: SigningKey;
  try {
    key = parseSigningKey(text.trim());
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ConfigError(`cannot use ${what}: ${cause.message}`, { path: 'notary.key', cause });
  }
  if (key.use === 'log' && key.name === origin) return key;
  throw new ConfigError(
    `cannot use ${what}: it is a key of use ${key.use} named ${key.name}; it must be of use log and named ${origin}`,
    { path: 'notary.key' },
  );
}
