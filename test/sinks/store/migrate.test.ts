import { afterEach, beforeEach, expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../sinks/store/migrate.ts';
import { openChdbStore } from '../../../sinks/store/chdb-store.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { sealed, startStore, type StoreHarness } from './ledger-harness.ts';

let harness: StoreHarness;
beforeEach(async () => {
  harness = await startStore();
});
afterEach(() => harness.close());

it('a store that is opened again keeps its rows and its one migration', async () => {
  const entries = sealed([{ value: sampleEvent(1) }]);
  await harness.store().append(entries);
  await harness.reopen();
  await harness.store().expectStored(entries);
  expect(await harness.rows('SELECT version, name FROM custody.migrations ORDER BY version')).toEqual([
    [1, '0001-entries'],
    [2, '0002-evidence'],
    [3, '0003-verification-views'],
    [4, '0004-incidents'],
  ]);
});

it('a migration that was cut off is finished by the next start, without losing rows', async () => {
  const entries = sealed([{ value: sampleEvent(1) }]);
  await harness.store().append(entries);
  await harness.command('TRUNCATE TABLE custody.migrations');
  await harness.command('DROP VIEW custody.alerts');
  await harness.reopen();
  await harness.store().expectStored(entries);
  expect(await harness.rows('SELECT version FROM custody.migrations ORDER BY version')).toEqual([
    [1],
    [2],
    [3],
    [4],
  ]);
  expect(await harness.rows('SELECT count() FROM custody.alerts')).toEqual([[0]]);
});

it('a store made by a newer version is refused by name, and can be opened once that is undone', async () => {
  await harness.command("INSERT INTO custody.migrations VALUES (99, '0099-later')");
  await expect(harness.reopen()).rejects.toThrow(
    `cannot open the store: schema version 99 is newer than ${SCHEMA_VERSION}, the newest this program knows`,
  );
  await expect(openChdbStore({ path: harness.path })).rejects.toMatchObject({ code: 'rejected' });
  await harness.command(
    'ALTER TABLE custody.migrations DELETE WHERE version = 99 SETTINGS mutations_sync = 2',
  );
  await harness.reopen();
  expect(await harness.rows('SELECT count() FROM custody.entries')).toEqual([[0]]);
});
