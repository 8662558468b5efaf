import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createEventSealing, type EventSealing } from '../collectors/seal-event.ts';
import { systemClock, type Clock } from '../runtime/clock.ts';
import { ConfigError } from '../runtime/errors.ts';
import { parseDigestKey } from '../runtime/digest-key.ts';
import { loadOwnKey, parseKey, readOwnKey } from '../runtime/own-key.ts';
import type { Config } from '../schemas/config.ts';
import { destroyBegun } from '../subjects/erase.ts';
import { openKeyStore, type KeyStore } from '../subjects/key-store.ts';
import { openKeysInUse } from '../subjects/keys-in-use.ts';
import type { PipelineContext, PipelineOptions } from './context.ts';

type Access = Pick<PipelineOptions, 'config' | 'secrets'>;

const directoryOf = ({ subjects, data_dir }: Config): string =>
  subjects.directory ?? join(data_dir, 'subjects');

/**
 * The keys of the subjects. `make` makes a missing store with its key-encryption key.
 * @throws ConfigError, IntegrityError, TransientError as `openKeyStore`.
 */
export function openSubjectKeys(
  { config, secrets }: Access,
  make: boolean,
  clock: Clock = systemClock,
): KeyStore {
  const directory = directoryOf(config);
  const kek = kekOf({ config, secrets }, directory, make);
  return openKeyStore({ directory, kek, make, nowMs: clock.nowMs() });
}

function kekOf({ config, secrets }: Access, directory: string, make: boolean): Uint8Array {
  const { kek } = config.subjects;
  if (kek !== undefined) return parseKey(secrets(kek, 'subjects.kek'), 'subjects.kek');
  const path = join(directory, 'kek');
  const what = 'key-encryption key';
  // A new key beside an old store would look like a repair and read nothing.
  const own =
    make && !existsSync(join(directory, 'store.json')) ? loadOwnKey(path, what) : readOwnKey(path, what);
  if (own !== undefined) return own;
  throw new ConfigError(
    `cannot open key store ${directory}: there is no key-encryption key ${path} and subjects.kek is not set`,
    { path: 'subjects.kek' },
  );
}

/** The key that pseudonyms are made with, of a deployment that exists. @throws ConfigError */
export function existingDigestKey({ config, secrets }: Access): Uint8Array {
  if (config.digest_key !== undefined)
    return parseDigestKey(secrets(config.digest_key, 'digest_key'), 'digest_key');
  const path = join(config.data_dir, 'digest.key');
  const key = readOwnKey(path, 'digest key');
  if (key !== undefined) return key;
  throw new ConfigError(`cannot name a subject: there is no ${path} and digest_key is not set`, {
    path: 'digest_key',
  });
}

/** What a collector seals with; `undefined` unless the configuration says so. Completes erasures that were interrupted. */
export async function openSealing(
  options: Pick<
    PipelineContext,
    'config' | 'secrets' | 'clock' | 'logger' | 'metrics' | 'roles' | 'digestKey'
  >,
  release: (() => Promise<void>)[],
): Promise<EventSealing | undefined> {
  const { config, clock, logger, metrics, roles, digestKey } = options;
  if (!config.subjects.enabled || !roles.has('collector') || digestKey === undefined) return undefined;
  const store = openSubjectKeys(options, true, clock);
  const erasedCount = await destroyBegun(store, clock);
  if (erasedCount > 0)
    logger.warn({ erasedCount }, 'destroyed keys whose erasure was interrupted, or that came back');
  const keysMax = config.subjects.cached_keys_max;
  const keys = openKeysInUse({ store, keysMax, clock, logger, metrics });
  release.push(() => keys.close());
  return createEventSealing({ config: config.subjects, keys, digestKey });
}
