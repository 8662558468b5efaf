import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordReveal, revealFields, type SealedEntry } from '../../cli/subject-reveal.ts';
import { sealField } from '../../evidence/sealed-field.ts';
import { xaesKey } from '../../evidence/xaes.ts';
import { createKeys } from '../../subjects/create-keys.ts';
import { destroyKey } from '../../subjects/destroy-key.ts';
import { newKeyId } from '../../subjects/key-file.ts';
import { ann, keyDirectory, type KeyDirectory } from '../subjects/key-directory.ts';

let here: KeyDirectory;
let elsewhere: KeyDirectory;
beforeEach(async () => {
  here = await keyDirectory();
  elsewhere = await keyDirectory();
});
afterEach(async () => {
  await here.close();
  await elsewhere.close();
});

/** An entry with one field, sealed by the collector of a key store. */
async function entryOf({ store }: KeyDirectory): Promise<SealedEntry & { keyId: string }> {
  const keyId = newKeyId(store.id);
  const key = randomBytes(32);
  await createKeys(store, [{ tenant: 'acme', subject: ann, keyId, key }], 0);
  const place = { tenant: 'acme', eventId: 'e1', path: 'actor.user_id' };
  const randomness = { nonce: randomBytes(24), salt: randomBytes(32) };
  const field = sealField(xaesKey(key), { subject: ann, keyId }, place, randomness, 'ann');
  return { tenant: 'acme', eventId: 'e1', leaf: '', fields: { 'actor.user_id': field }, keyId };
}

it('tells a key of another store from one that is missing here and from changed bytes', async () => {
  const foreign = await entryOf(elsewhere);
  expect(revealFields(here.store, foreign)).toMatchObject([{ state: 'key_elsewhere' }]);
  const entry = await entryOf(here);
  expect(revealFields(here.store, entry)).toMatchObject([{ state: 'revealed', value: 'ann' }]);
  expect(revealFields(here.store, { ...entry, eventId: 'e2' })).toMatchObject([{ state: 'unreadable' }]);
  await destroyKey(here.store, 'acme', ann, entry.keyId);
  expect(revealFields(here.store, entry)).toMatchObject([{ state: 'key_missing' }]);
});

it('says that a reading is not on record when no collector takes the event', async () => {
  const record = {
    operator: 'olga',
    reason: 'r',
    tenant: 'acme',
    log: 'l',
    seq: '1',
    paths: ['actor.user_id'],
  };
  expect(await recordReveal(undefined, record)).toBe(false);
  // Nothing listens on this port of loopback.
  expect(await recordReveal({ url: 'http://127.0.0.1:1', token: undefined }, record)).toBe(false);
});
