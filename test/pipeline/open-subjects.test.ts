import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSealing, openSubjectKeys } from '../../pipeline/open-subjects.ts';
import { ROLES, type Role } from '../../pipeline/roles.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ConfigError } from '../../runtime/errors.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema } from '../../schemas/config.ts';
import { createKeys } from '../../subjects/create-keys.ts';
import { noteStep, readErasures } from '../../subjects/erasure-journal.ts';
import { newKeyId } from '../../subjects/key-file.ts';
import { readKey } from '../../subjects/key-store.ts';
import { ann, DIGEST_KEY } from '../subjects/key-directory.ts';

let dataDir: string;
beforeEach(async () => (dataDir = await mkdtemp(join(tmpdir(), 'custody-open-'))));
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const keys = { A: 'a'.repeat(64), B: 'b'.repeat(64), SHORT: 'abc' };
function access(subjects: object = {}) {
  return {
    config: configSchema.parse({ data_dir: dataDir, subjects: { enabled: true, ...subjects } }),
    secrets: ({ env }: { env?: string | undefined }) => keys[env as keyof typeof keys],
  };
}

it('makes store and key-encryption key once, for this user alone', () => {
  const store = openSubjectKeys(access(), true);
  expect(openSubjectKeys(access(), true)).toEqual(store);
  expect(openSubjectKeys(access(), false).kek).toEqual(store.kek);
  expect(statSync(join(dataDir, 'subjects')).mode & 0o777).toBe(0o700);
  expect(statSync(join(dataDir, 'subjects', 'kek')).mode & 0o777).toBe(0o600);
});

it('refuses a key-encryption key that is wrong, malformed or gone, in one sentence without the key', () => {
  openSubjectKeys(access({ kek: { env: 'A' } }), true);
  for (const [subjects, sentence] of [
    [{ kek: { env: 'B' } }, /subjects\.kek is not the key-encryption key that .*store\.json was made with/],
    [{ kek: { env: 'SHORT' } }, /cannot use subjects\.kek: it must hold 32 bytes as lower-case hex/],
    [{}, /there is no key-encryption key .*kek and subjects\.kek is not set/],
  ] as const) {
    expect(() => openSubjectKeys(access(subjects), true)).toThrow(ConfigError);
    expect(() => openSubjectKeys(access(subjects), true)).toThrow(sentence);
    expect(() => openSubjectKeys(access(subjects), true)).not.toThrow(keys.B);
  }
  expect(openSubjectKeys(access({ kek: { env: 'A' } }), true).kek.toString()).toBe(
    Buffer.from(keys.A, 'hex').toString(),
  );
});

it('makes no key store for a command that reads, and no new key beside an old store', () => {
  expect(() => openSubjectKeys(access(), false)).toThrow(ConfigError);
  openSubjectKeys(access(), true);
  rmSync(join(dataDir, 'subjects', 'kek'));
  expect(() => openSubjectKeys(access(), true)).toThrow(/there is no key-encryption key/);
});

it('completes an interrupted erasure before a collector takes anything, and seals only where asked to', async () => {
  const logger = pino({ level: 'silent' });
  const release: (() => Promise<void>)[] = [];
  const open = (roles: readonly Role[], subjects: object = {}) =>
    openSealing(
      {
        ...access(subjects),
        clock: systemClock,
        logger,
        metrics: createMetrics(),
        roles: new Set(roles),
        digestKey: DIGEST_KEY,
      },
      release,
    );
  expect(await open(ROLES, { enabled: false })).toBeUndefined();
  expect(await open(['detect', 'ledger'])).toBeUndefined();
  const store = openSubjectKeys(access(), true);
  const at = { tenant: 'acme', subject: ann, key_id: newKeyId(store.id), time_ms: 1 };
  await createKeys(store, [{ tenant: 'acme', subject: ann, keyId: at.key_id, key: randomBytes(32) }], 0);
  await noteStep(store, { ...at, step: 'begun', operator: 'olga', reason: 'test' });
  expect(readKey(store, 'acme', ann)?.keyId).toBe(at.key_id);
  expect(await open(['collector'])).toBeDefined();
  expect(readKey(store, 'acme', ann)).toBeUndefined();
  expect(readErasures(store).erasures.get(at.key_id)?.destroyedMs).toBeGreaterThan(1);
  for (const action of release) await action();
});
