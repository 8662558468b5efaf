import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, IntegrityError, TransientError } from '../../runtime/errors.ts';
import { formatKeyFile } from '../../subjects/key-file.ts';
import { listKeys, placeOfKey, readKey, readKeyFile } from '../../subjects/key-store.ts';
import { pseudonymOf } from '../../subjects/pseudonym.ts';
import { ann, bob, DIGEST_KEY, KEK, keyDirectory, type KeyDirectory } from './key-directory.ts';

let here: KeyDirectory;
beforeEach(async () => (here = await keyDirectory()));
afterEach(() => here.close());

const copy = (key: Uint8Array) => Buffer.from(key).toString('hex');

describe('a pseudonym', () => {
  it('is the same for one identity of one tenant, and another for any other', () => {
    expect(pseudonymOf(DIGEST_KEY, 'acme', 'ann@example.com')).toBe(ann);
    const others = [
      pseudonymOf(DIGEST_KEY, 'globex', 'ann@example.com'),
      pseudonymOf(DIGEST_KEY, 'acme', 'Ann@example.com'),
      pseudonymOf(Buffer.alloc(32, 8), 'acme', 'ann@example.com'),
      pseudonymOf(DIGEST_KEY, 'acme', ann),
      pseudonymOf(DIGEST_KEY, 'acme', ''),
      bob,
    ];
    expect(new Set([ann, ...others]).size).toBe(7);
  });
});

describe('the keys in use', () => {
  it('are one for each subject, random, and the same after a restart', async () => {
    const keys = here.use();
    const first = keys.keyFor('acme', ann);
    await first.durable;
    const key = copy(first.key);
    expect(copy(keys.keyFor('acme', ann).key)).toBe(key);
    expect(keys.keyFor('acme', ann).durable).toBeUndefined();
    expect(copy(keys.keyFor('acme', bob).key)).not.toBe(key);
    await keys.keyFor('acme', bob).durable;
    expect(copy(here.use().keyFor('acme', ann).key)).toBe(key);
    expect(readFileSync(placeOfKey(here.store, 'acme', ann).path, 'utf8')).not.toContain(key);
    expect(statSync(placeOfKey(here.store, 'acme', ann).path).mode & 0o777).toBe(0o600);
  });

  it('are never shared by tenants, even for one pseudonym', async () => {
    const keys = here.use();
    const [one, other] = [keys.keyFor('acme', ann), keys.keyFor('globex', ann)];
    await Promise.all([one.durable, other.durable]);
    expect(copy(one.key)).not.toBe(copy(other.key));
    expect(one.keyId).not.toBe(other.keyId);
    writeFileSync(
      placeOfKey(here.store, 'globex', ann).path,
      readFileSync(placeOfKey(here.store, 'acme', ann).path),
    );
    expect(() => readKey(here.store, 'globex', ann)).toThrow(IntegrityError);
  });

  it('stay right when many more subjects come than are kept in memory', async () => {
    const keys = here.use(16);
    const subjects = Array.from({ length: 200 }, (_, index) =>
      pseudonymOf(DIGEST_KEY, 'acme', String(index)),
    );
    const made = subjects.map((subject) => {
      const { key, durable } = keys.keyFor('acme', subject);
      return { subject, key: copy(key), durable };
    });
    for (const { durable } of made) await durable;
    for (const { subject, key } of made) expect(copy(keys.keyFor('acme', subject).key)).toBe(key);
    expect(readdirSync(join(here.directory, 'drafts'))).toEqual([]);
  });

  it('are asked for again when another process made one for the subject first', async () => {
    const keys = here.use();
    const lost = keys.keyFor('acme', ann);
    const theirs = {
      tenant: 'acme',
      subject: ann,
      keyId: `${here.store.id}-${'e'.repeat(16)}`,
      key: Buffer.alloc(32, 3),
    };
    const { shard, path } = placeOfKey(here.store, 'acme', ann);
    mkdirSync(shard, { recursive: true });
    writeFileSync(path, formatKeyFile(KEK, theirs, 0));
    await expect(lost.durable).rejects.toThrow(TransientError);
    expect(copy(keys.keyFor('acme', ann).key)).toBe(copy(theirs.key));
  });

  it('give way when one is damaged: it is set aside and reported without its content, and another one made', async () => {
    const keys = here.use();
    await keys.keyFor('acme', ann).durable;
    const { path, shard } = placeOfKey(here.store, 'acme', ann);
    truncateSync(path, 40);
    const fresh = here.use().keyFor('acme', ann);
    await fresh.durable;
    expect(readKeyFile(here.store, 'acme', ann)?.key_id).toBe(fresh.keyId);
    expect(readdirSync(shard).filter((name) => name.includes('.damaged-'))).toHaveLength(1);
    expect(here.logged.join('')).toContain('a subject key is damaged');
    expect(here.logged.join('')).not.toContain(copy(fresh.key));
    expect(await here.metrics.registry.getSingleMetricAsString('custody_subject_keys_total')).toContain(
      'outcome="damaged"} 1',
    );
  });

  it('fail with a transient error when no key can be written, and recover', async () => {
    const keys = here.use();
    rmSync(join(here.directory, 'drafts'), { recursive: true });
    await expect(keys.keyFor('acme', ann).durable).rejects.toThrow(TransientError);
    here.open();
    await expect(keys.keyFor('acme', ann).durable).resolves.toBeUndefined();
  });
});

describe('the key store', () => {
  it('refuses another key-encryption key with one clear sentence', () => {
    expect(() => here.open(Buffer.alloc(32, 1))).toThrow(ConfigError);
    expect(() => here.open(Buffer.alloc(32, 1))).toThrow(
      /^cannot open key store: subjects.kek is not the key-encryption key that .*store.json was made with$/,
    );
  });

  it('is not made by a command that only reads', () => {
    rmSync(join(here.directory, 'store.json'));
    expect(() => here.open(KEK, false)).toThrow(/there is no .*store\.json/);
  });

  it('is not made anew over keys whose store file is gone, and refuses a damaged one', () => {
    writeFileSync(join(here.directory, 'store.json'), '{');
    expect(() => here.open()).toThrow(/store\.json is damaged/);
    rmSync(join(here.directory, 'store.json'));
    expect(() => here.open()).toThrow(/it has keys and no store\.json/);
  });

  it('lists every key and names damage, passing over strange files', async () => {
    const keys = here.use();
    await Promise.all([keys.keyFor('acme', ann).durable, keys.keyFor('globex', bob).durable]);
    const { path, shard } = placeOfKey(here.store, 'globex', bob);
    writeFileSync(path, 'not a key');
    writeFileSync(join(shard, 'README'), '');
    const found = [];
    for await (const { tenant, subject, file } of listKeys(here.store))
      found.push([tenant, subject, file?.tenant]);
    expect(found).toEqual([
      ['acme', ann, 'acme'],
      ['globex', bob, undefined],
    ]);
  });

  it('removes drafts of processes that were killed long ago, and no others', () => {
    const drafts = join(here.directory, 'drafts');
    writeFileSync(join(drafts, 'old'), 'x');
    writeFileSync(join(drafts, 'new'), 'x');
    const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
    utimesSync(join(drafts, 'old'), hoursAgo, hoursAgo);
    here.open();
    expect(readdirSync(drafts)).toEqual(['new']);
  });
});
