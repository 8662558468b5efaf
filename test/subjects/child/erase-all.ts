// Run by erase.test.ts: erases every subject of a key store and prints a line for each, until it is killed.
import { systemClock } from '../../../runtime/clock.ts';
import { eraseSubject } from '../../../subjects/erase.ts';
import { listKeys, openKeyStore } from '../../../subjects/key-store.ts';
import { KEK } from '../key-directory.ts';

const [directory = ''] = process.argv.slice(2);
const store = openKeyStore({ directory, kek: KEK, make: false, nowMs: Date.now() });
const acts = { request: () => Promise.resolve('r'), await: () => Promise.resolve('1') };
const deps = { store, acts, holdsOver: () => Promise.resolve([]), clock: systemClock };
for await (const { tenant, subject } of listKeys(store)) {
  await eraseSubject(deps, { tenant, subject, operator: 'olga', reason: 'test' });
  process.stdout.write(`${subject}\n`);
}
