import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WRITTEN_COLUMNS } from '../../sinks/store/tab-separated.ts';
import { hotColumns } from '../../sinks/store/hot-columns.ts';
import { verifies } from '../requirements.ts';
import { type Ledger, writeLedger } from './ledger-fixture.ts';

let ledger: Ledger;
let acme: string;
beforeAll(async () => {
  ledger = await writeLedger();
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

/** Another value of the same type for each written column; a column missing here fails the test below. */
const CHANGES: Readonly<Record<string, string>> = {
  log: `concat(log, '0')`,
  tenant: `'globex'`,
  kpart: 'kpart + 1',
  seq: 'seq + 100',
  topic: `'custody.alerts'`,
  koffset: 'koffset + 1',
  kts_ms: 'kts_ms + 1',
  day: 'day + 1',
  kind: `'malformed'`,
  prev: 'SHA256(prev)',
  body_sha: 'SHA256(body_sha)',
  leaf: 'SHA256(leaf)',
  body: `concat(body, ' ')`,
};

test('a change to any stored column of an entry is found', { timeout: 120_000 }, async () => {
  verifies('P4');
  expect(Object.keys(CHANGES)).toEqual([...WRITTEN_COLUMNS]);
  for (const column of WRITTEN_COLUMNS) {
    const changed = WRITTEN_COLUMNS.map((name) => (name === column ? CHANGES[name] : `t.${name}`));
    // Key columns cannot be updated in place, so the row is written again changed and the first one deleted.
    const report = await ledger.attack([
      'ALTER TABLE custody.entries DROP CONSTRAINT leaf_ok',
      'ALTER TABLE custody.entries DROP CONSTRAINT body_ok',
      `CREATE TABLE custody.held ENGINE = Memory AS SELECT ${WRITTEN_COLUMNS.join(', ')} FROM custody.entries WHERE log = '${acme}' AND seq = 7`,
      `ALTER TABLE custody.entries DELETE WHERE log = '${acme}' AND seq = 7 SETTINGS mutations_sync = 2`,
      `INSERT INTO custody.entries (${WRITTEN_COLUMNS.join(', ')}) SELECT ${changed.join(', ').replaceAll('t.', '')} FROM custody.held`,
    ]);
    const causes = report.findings
      .map(({ cause }) => cause)
      .filter((cause) => cause !== 'SCHEMA_FINGERPRINT');
    expect(causes, column).not.toEqual([]);
    expect(report.verdict, column).toBe('invalid');
  }
});

test('every column of the table is either written and covered, or derived and recomputed', async () => {
  const covered = [...WRITTEN_COLUMNS, ...hotColumns.map(({ name }) => name)];
  const report = await ledger.attack(['ALTER TABLE custody.entries ADD COLUMN extra String']);
  expect(report.findings.map(({ cause }) => cause)).toEqual(['SCHEMA_FINGERPRINT']);
  expect(new Set(covered).size).toBe(covered.length);
});

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
});
