import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attack } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { type Ledger, writeLedger } from './ledger-fixture.ts';

let ledger: Ledger;
let acme: string;
beforeAll(async () => {
  ledger = await writeLedger();
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

test('flipped bytes in a part file are found and named, never a crash', async () => {
  verifies('P4', 'P10');
  const report = await ledger.attack([], {
    onFiles(store) {
      // Below `store/` only: `data/` holds links to the same files.
      const files = readdirSync(join(store, 'store'), { recursive: true, encoding: 'utf8' })
        .filter((file) => /2026\d{4}_[^/]*\/(data|body)\.bin$/.test(file))
        .map((file) => join(store, 'store', file));
      expect(files).not.toEqual([]);
      for (const file of files) {
        const bytes = readFileSync(file);
        const middle = Math.floor(bytes.length / 2);
        bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
        writeFileSync(file, bytes);
      }
    },
  });
  expect(report.verdict).toBe('invalid');
  expect(report.findings.map(({ cause }) => cause)).toContain('READ_ERROR');
  attack(35, 'process', 'READ_ERROR');
});

test('an older copy of the store beside a newer log is found', async () => {
  verifies('P4');
  const older = await writeLedger(1);
  try {
    const report = await ledger.attack([], {
      onFiles(store) {
        rmSync(store, { recursive: true });
        cpSync(join(older.directory, 'store'), store, { recursive: true, verbatimSymlinks: true });
      },
    });
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(expect.objectContaining({ cause: 'LOG_MISSING', log: acme }));
  } finally {
    older.remove();
  }
  attack(17, 'process', 'LOG_MISSING');
});
