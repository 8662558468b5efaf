import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifies } from '../requirements.ts';
import { type Ledger, writeLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await writeLedger();
});
afterAll(() => ledger.remove());

const RUNS = 25;
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const damage = fc.record({
  file: fraction,
  at: fraction,
  bit: fc.integer({ min: 0, max: 7 }),
  kind: fc.constantFrom('flip', 'cut', 'append'),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

/** Damages one non-empty file of a part. */
function damagePart(store: string, { file, at, bit, kind }: Damage): void {
  const root = join(store, 'store');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\/2026\d{4}_[^/]*\//.test(path) && statSync(join(root, path)).size > 0)
    .sort();
  const path = join(root, files[Math.floor(file * files.length)] ?? '');
  const bytes = readFileSync(path);
  const place = Math.floor(at * bytes.length);
  if (kind === 'flip') bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
  const rest = kind === 'cut' ? bytes.subarray(0, place) : bytes;
  writeFileSync(path, kind === 'append' ? Buffer.concat([rest, Buffer.from('x')]) : rest);
}

test('damage in any file of a part is found, unless every entry is still read whole', async () => {
  verifies('P4', 'P10');
  const { entries } = await ledger.attack([]);
  expect(entries).toBe(78);
  await fc.assert(
    fc.asyncProperty(damage, async (damaged) => {
      const report = await ledger.attack([], { onFiles: (store) => damagePart(store, damaged) });
      if (report.entries < entries) expect(report.verdict).not.toBe('valid');
      if (report.verdict === 'valid') expect(report).toMatchObject({ entries, duplicates: 0, findings: [] });
    }),
    { numRuns: RUNS },
  );
});
