import { join } from 'node:path';
import { loadOwnKey, parseKey } from './own-key.ts';

/**
 * The deployment's digest key, `<data dir>/digest.key` (32 bytes as hex, mode 0600), made at random if missing. Taps
 * and pipeline that share a data directory get the same key, so their digests of one value are equal.
 * @throws ConfigError if the file holds something else; TransientError (`disk_full`, `unavailable`) if it cannot be made.
 */
export function loadDigestKey(dataDir: string): Uint8Array {
  return loadOwnKey(join(dataDir, 'digest.key'), 'digest key');
}

/**
 * The digest key of a fleet, given as configuration.
 * @throws ConfigError naming `path`, never the key.
 */
export function parseDigestKey(text: string, path: string): Uint8Array {
  return parseKey(text, path);
}
