import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomBytes } from 'node:crypto';
import { openField, sealField } from '../../evidence/sealed-field.ts';
import { xaesKey } from '../../evidence/xaes.ts';
import { systemClock } from '../../runtime/clock.ts';
import { InputError, PermanentError } from '../../runtime/errors.ts';
import { createKeys, setAside } from '../../subjects/create-keys.ts';
import {
  checkErasure,
  destroyBegun,
  eraseSubject,
  finishErasures,
  type ErasedAct,
  type ErasureDeps,
} from '../../subjects/erase.ts';
import { readErasures } from '../../subjects/erasure-journal.ts';
import { newKeyId } from '../../subjects/key-file.ts';
import { placeOfKey, readKey } from '../../subjects/key-store.ts';
import { pseudonymOf } from '../../subjects/pseudonym.ts';
import { killedAt, type Moment } from './interrupt.ts';
import { ann, bob, DIGEST_KEY, keyDirectory, type KeyDirectory } from './key-directory.ts';

let here: KeyDirectory;
let acts: ErasedAct[];
let deps: ErasureDeps;
beforeEach(async () => {
  here = await keyDirectory();
  acts = [];
  deps = {
    store: here.store,
    acts: {
      request: (act) => Promise.resolve(`request-${acts.push(act)}`),
      await: (id) => Promise.resolve(id.slice('request-'.length)),
    },
    holdsOver: () => Promise.resolve([]),
    clock: systemClock,
  };
});
afterEach(() => here.close());

const order = { tenant: 'acme', subject: ann, operator: 'olga', reason: 'request of the subject' };

async function makeKey(subject = ann, tenant = 'acme'): Promise<string> {
  const keyId = newKeyId(here.store.id);
  const key = { tenant, subject, keyId, key: randomBytes(32) };
  expect(await createKeys(here.store, [key], 0)).toEqual([undefined]);
  return keyId;
}

/** Every byte below the directory of keys. */
function keyBytes(): string {
  const root = join(here.directory, 'keys');
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('');
}

describe('an erasure', () => {
  it('destroys the key for good, says so in the anchor log, and leaves every other key alone', async () => {
    const [keyId, other, elsewhere] = [await makeKey(), await makeKey(bob), await makeKey(ann, 'globex')];
    const done = await eraseSubject(deps, order);
    expect(done).toMatchObject({ subject: ann, keyId, entrySeq: '1' });
    expect(acts).toEqual([{ type: 'erased', key_id: keyId, ...order }]);
    expect(readKey(here.store, 'acme', ann)).toBeUndefined();
    expect(readKey(here.store, 'acme', bob)?.keyId).toBe(other);
    expect(readKey(here.store, 'globex', ann)?.keyId).toBe(elsewhere);
    expect(readErasures(here.store).erasures.get(keyId)).toMatchObject({ operator: 'olga', entrySeq: '1' });
  });

  it('overwrites the file itself: another name of it holds nothing any more', async () => {
    await makeKey();
    const { path } = placeOfKey(here.store, 'acme', ann);
    const before = readFileSync(path, 'utf8');
    const { linkSync } = await import('node:fs');
    linkSync(path, join(here.directory, 'copy'));
    await eraseSubject(deps, order);
    const after = readFileSync(join(here.directory, 'copy'), 'latin1');
    expect(after).toHaveLength(before.length);
    expect(after).not.toContain('wrapped');
  });

  it('is refused while a legal hold covers the tenant, and destroys nothing then', async () => {
    const keyId = await makeKey();
    const held = {
      ...deps,
      holdsOver: (tenant: string) => Promise.resolve(tenant === 'acme' ? ['case-7'] : []),
    };
    await expect(eraseSubject(held, order)).rejects.toThrow(PermanentError);
    await expect(eraseSubject(held, order)).rejects.toThrow(/legal hold case-7 covers tenant acme/);
    const unknown = {
      ...deps,
      holdsOver: () => Promise.reject(new PermanentError('rejected', 'cannot read holds')),
    };
    await expect(eraseSubject(unknown, order)).rejects.toThrow('cannot read holds');
    expect(readKey(here.store, 'acme', ann)?.keyId).toBe(keyId);
    expect(readErasures(here.store).erasures.size).toBe(0);
  });

  it('of somebody without a key is an error', async () => {
    await expect(checkErasure(deps, order)).rejects.toThrow(InputError);
    await makeKey();
    await eraseSubject(deps, order);
    await expect(eraseSubject(deps, order)).rejects.toThrow(/has no key for it/);
  });

  it('reaches what was set aside as damaged, and a file that is damaged now', async () => {
    await makeKey();
    await setAside(here.store, 'acme', ann);
    await makeKey();
    writeFileSync(placeOfKey(here.store, 'acme', ann).path, 'damaged, with secrets');
    await eraseSubject(deps, order);
    expect(keyBytes()).toBe('');
    expect(acts).toHaveLength(1);
  });

  it('empties the memory of a collector before its next record, which gets a new key', async () => {
    const keys = here.use();
    const first = keys.keyFor('acme', ann);
    await first.durable;
    const { keyId, key } = first;
    const place = { tenant: 'acme', eventId: 'e', path: 'actor.user_id' };
    const randomness = { nonce: randomBytes(24), salt: randomBytes(32) };
    const field = sealField(xaesKey(key), { subject: ann, keyId }, place, randomness, 'ann');
    expect(openField(xaesKey(key), field, place)).toMatchObject({ value: 'ann' });
    await eraseSubject(deps, order);
    const next = keys.keyFor('acme', ann);
    await next.durable;
    expect(next.keyId).not.toBe(keyId);
    expect(openField(xaesKey(next.key), field, place)).toBe('unreadable');
    // The bytes of the old key in memory are gone too.
    expect(key.every((byte) => byte === 0)).toBe(true);
  });
});

describe('an interrupted erasure', () => {
  it.each<Moment>(['before', 'after'])(
    'is completed by the next call wherever it stopped (%s the effect of each file system call)',
    async (moment) => {
      for (let n = 1; ; n++) {
        const subject = pseudonymOf(DIGEST_KEY, 'acme', `${moment}-${n}`);
        const keyId = await makeKey(subject);
        acts.length = 0;
        const { ended } = await killedAt(n, moment, () => eraseSubject(deps, { ...order, subject }));
        if (!ended) {
          const begun = readErasures(here.store).erasures.has(keyId);
          await finishErasures(deps);
          if (!begun) {
            // Nothing was promised: the key is there, and the erasure can be ordered again.
            expect(readKey(here.store, 'acme', subject)?.keyId).toBe(keyId);
            await eraseSubject(deps, { ...order, subject });
          }
        }
        expect(readKey(here.store, 'acme', subject)).toBeUndefined();
        expect(existsSync(placeOfKey(here.store, 'acme', subject).path)).toBe(false);
        expect(readErasures(here.store).erasures.get(keyId)).toMatchObject({ entrySeq: expect.any(String) });
        // Asked for once; twice only when the answer to the first was lost.
        expect(acts.length).toBeGreaterThan(0);
        expect(new Set(acts.map((act) => JSON.stringify(act))).size).toBe(1);
        expect(acts.length).toBeLessThanOrEqual(2);
        if (!ended) continue;
        expect(n).toBeGreaterThan(12);
        return;
      }
    },
  );

  it('does not touch the new key that the subject got meanwhile', async () => {
    // Killed when the file is gone and the journal does not say so yet.
    let subject = '';
    let keyId = '';
    for (let n = 1; keyId === '' || existsSync(placeOfKey(here.store, 'acme', subject).path); n++) {
      subject = pseudonymOf(DIGEST_KEY, 'acme', String(n));
      keyId = await makeKey(subject);
      await destroyBegun(here.store, systemClock);
      await killedAt(n, 'after', () => eraseSubject(deps, { ...order, subject }));
    }
    const next = await makeKey(subject);
    expect(readErasures(here.store).erasures.get(keyId)?.destroyedMs).toBeUndefined();
    expect(await destroyBegun(here.store, systemClock)).toBe(1);
    expect(readKey(here.store, 'acme', subject)?.keyId).toBe(next);
  });

  it('is done again when the key comes back from a copy', async () => {
    await makeKey();
    const { path } = placeOfKey(here.store, 'acme', ann);
    const copy = readFileSync(path);
    await eraseSubject(deps, order);
    expect(await destroyBegun(here.store, systemClock)).toBe(0);
    writeFileSync(path, copy);
    expect(readKey(here.store, 'acme', ann)).toBeDefined();
    expect(await destroyBegun(here.store, systemClock)).toBe(1);
    expect(readKey(here.store, 'acme', ann)).toBeUndefined();
  });

  it('survives a journal line that was cut short, and says that there is one', async () => {
    const keyId = await makeKey();
    appendFileSync(join(here.directory, 'erasures.jsonl'), '{"step":"begun","ten');
    await eraseSubject(deps, order);
    const { erasures, unreadableLines } = readErasures(here.store);
    expect(erasures.get(keyId)).toMatchObject({ entrySeq: '1' });
    expect(unreadableLines).toBe(1);
  });

  it('waits for the notary: the key is gone, and the entry is asked for once', async () => {
    const keyId = await makeKey();
    const absent = { ...deps, acts: { ...deps.acts, await: () => Promise.resolve(undefined) } };
    expect(await eraseSubject(absent, order)).toMatchObject({ requestId: 'request-1' });
    expect(readKey(here.store, 'acme', ann)).toBeUndefined();
    expect(await finishErasures(absent)).toHaveLength(1);
    expect(await finishErasures(deps)).toMatchObject([{ keyId, entrySeq: '1' }]);
    expect(await finishErasures(deps)).toEqual([]);
    expect(acts).toHaveLength(1);
  });

  it('is completed after kill -9 of the process at any time', async () => {
    const subjects = Array.from({ length: 40 }, (_, index) => pseudonymOf(DIGEST_KEY, 'acme', String(index)));
    const ids = new Map<string, string>();
    for (const subject of subjects) ids.set(subject, await makeKey(subject));
    const script = fileURLToPath(new URL('child/erase-all.ts', import.meta.url));
    for (const afterLines of [1, 7]) {
      const child = spawn(process.execPath, ['--import', 'tsx', script, here.directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let lines = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        lines += chunk.toString().split('\n').length - 1;
        if (lines >= afterLines) child.kill('SIGKILL');
      });
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
      expect([code, signal]).toEqual([null, 'SIGKILL']);
    }
    await finishErasures(deps);
    const { erasures } = readErasures(here.store);
    expect(erasures.size).toBeGreaterThanOrEqual(8);
    for (const [subject, keyId] of ids) {
      const key = readKey(here.store, 'acme', subject);
      expect(key?.keyId).toBe(erasures.has(keyId) ? undefined : keyId);
    }
  });
});
