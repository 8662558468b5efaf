// Run by disk-full.test.ts on a small file system of its own; prints what happened as one JSON line.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError } from '../../../../runtime/errors.ts';
import { openChdbStore } from '../../../../sinks/store/chdb-store.ts';
import { rowsOf, sealed } from '../ledger-harness.ts';

const [directory = ''] = process.argv.slice(2);
const ballast = join(directory, 'ballast');
writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024));
const store = await openChdbStore({ path: join(directory, 'store') });
const noise = Buffer.alloc(200_000);
let seed = 1;
const body = () => {
  for (let at = 0; at < noise.length; at++) noise[at] = (seed = (seed * 48_271) % 2_147_483_647) & 0xff;
  return { value: Buffer.from(noise) };
};
const entries = sealed(Array.from({ length: 300 }, body));
const codes: string[] = [];
let stored = 0;
while (codes.length < 3 && stored < entries.length) {
  try {
    await store.append(entries.slice(stored, stored + 5));
    stored += 5;
  } catch (error) {
    codes.push(error instanceof CustodyError ? `${error.name} ${error.code}` : String(error));
  }
}
rmSync(ballast);
await store.append(entries.slice(stored, stored + 5));
await store.expectStored(entries.slice(0, stored + 5));
const count = await rowsOf(store, 'SELECT count() FROM custody.entries');
process.stdout.write(`${JSON.stringify({ codes, stored: stored + 5, count: count[0]?.[0] })}\n`);
await store.close();
