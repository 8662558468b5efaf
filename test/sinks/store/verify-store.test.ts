import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ledger, shortOfMemory, writeLedger } from '../../attacks/ledger-fixture.ts';
import { verifies } from '../../requirements.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await writeLedger();
});
afterAll(() => ledger.remove());

test('an untouched store is valid, with every entry counted and nothing left unchecked', async () => {
  verifies('P4');
  const report = await ledger.attack([]);
  expect(report.findings).toEqual([]);
  expect(report).toMatchObject({
    verdict: 'valid',
    logs: 6,
    entries: 6 + 72,
    duplicates: 0,
    beyond_heads: 0,
  });
  expect(report.checks_not_done).toEqual([]);
});

test('a changed body is invalid, and the entry is named', async () => {
  verifies('P4');
  const log = ledger.logOf('acme');
  const report = await ledger.attack([
    `ALTER TABLE custody.entries UPDATE body = replaceOne(body, 'allow', 'ALLOW') WHERE log = '${log}' AND seq = 7 SETTINGS mutations_sync = 2`,
  ]);
  expect(report.verdict).toBe('invalid');
  expect(report.findings).toContainEqual(expect.objectContaining({ cause: 'BODY_HASH', log, seq: '7' }));
});

test('a rebuild from the retained records gives the stored entries', async () => {
  verifies('P3', 'P4');
  const report = await ledger.attack([], { rebuild: true });
  expect(report).toMatchObject({ verdict: 'valid', findings: [], checks_not_done: [] });
});

test('a window of days and one tenant are valid on their own', async () => {
  const day = Math.floor(1_790_000_000_000 / 86_400_000) + 1;
  const report = await ledger.attack([], { sinceDay: day, tenant: 'globex' });
  expect(report).toMatchObject({ verdict: 'valid', logs: 3, entries: 24, findings: [] });
});

test('when the engine cannot say how far the store goes, nothing is said to be missing', async () => {
  verifies('P10');
  const report = await ledger.attack([], { through: shortOfMemory('max(koffset)') });
  expect(report).toMatchObject({ verdict: 'undecidable', entries: 0 });
  expect(report.findings.map(({ cause }) => cause)).toEqual(['READ_ERROR']);
});
