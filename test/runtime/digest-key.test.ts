import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadDigestKey } from '../../runtime/digest-key.ts';
import { ConfigError, TransientError } from '../../runtime/errors.ts';

let dataDir: string;
beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'custody-key-'))));
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

test('the key is made once, only for its owner to read, and then kept', () => {
  const nested = join(dataDir, 'deep', 'data');
  const key = loadDigestKey(nested);
  expect(key).toHaveLength(32);
  expect(loadDigestKey(nested)).toEqual(key);
  expect(statSync(join(nested, 'digest.key')).mode & 0o777).toBe(0o600);
  expect(statSync(nested).mode & 0o777).toBe(0o700);
  expect(readdirSync(nested)).toEqual(['digest.key']);
});

test('two directories have different keys', () => {
  expect(loadDigestKey(join(dataDir, 'a'))).not.toEqual(loadDigestKey(join(dataDir, 'b')));
});

test('a damaged key file is refused, never replaced', () => {
  writeFileSync(join(dataDir, 'digest.key'), 'short\n');
  expect(() => loadDigestKey(dataDir)).toThrow(ConfigError);
  expect(() => loadDigestKey(dataDir)).toThrow(/cannot use digest key .*lower-case hex/);
});

test('a data directory that cannot be made is an error that names the key file', () => {
  writeFileSync(join(dataDir, 'file'), '');
  expect(() => loadDigestKey(join(dataDir, 'file'))).toThrow(TransientError);
});
