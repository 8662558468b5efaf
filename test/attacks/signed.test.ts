import { generateKeyPairSync } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AnchorAct } from '../../evidence/anchor-log/entry.ts';
import { localTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import { formatVerifierKey, signingKey, signText } from '../../evidence/note/key.ts';
import { formatNote } from '../../evidence/note/note.ts';
import { checkpointText } from '../../evidence/note/checkpoint.ts';
import type { ChdbStore } from '../../sinks/store/chdb-store.ts';
import type { ConsultedAnchor } from '../../sinks/store/verify-signed.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { headAs, rewrittenFrom } from './forge.ts';
import { type AttackOptions, DEPLOYMENT, type Ledger, writeLedger } from './ledger-fixture.ts';
import { pruneActs, testNotary } from './test-notary.ts';

const ORIGIN = `${DEPLOYMENT}/anchor`;
const SYNC = 'SETTINGS mutations_sync = 2';
const FIRST_DAY = '2026-09-21';
const key = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
const notary = testNotary(DEPLOYMENT, key);
const trust = localTrust(formatVerifierKey(key));
let ledger: Ledger;
let acme: string;
let signedAtMs = 0;
beforeAll(async () => {
  ledger = await writeLedger(3, (store, nowMs) => notary.sign(store, (signedAtMs = nowMs)));
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

const anchor = (): ConsultedAnchor => ({ id: 'elsewhere', latest: () => Promise.resolve(notary.head()) });
const verify = (sql: readonly string[], options: AttackOptions = {}) =>
  ledger.attack(sql, { trust, ...options });
const located = (cause: string, log: string, seq: string | null) =>
  expect.objectContaining({ cause, log, seq }) as unknown;
const headOf = async (log: string, seq: number) => {
  const leaf = await ledger.answer(
    [],
    `SELECT lower(hex(leaf)) FROM custody.entries WHERE log = '${log}' AND seq = ${seq}`,
  );
  return { seq: String(seq), leaf };
};

describe('an untouched store', () => {
  test('is valid up to its signed and anchored size, and the report says how far', async () => {
    const report = await verify([], { anchors: [anchor()] });
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ verdict: 'valid', checks_not_done: [], logs: 6, entries: 78 });
    expect(report.signed).toMatchObject({
      key_source: 'local',
      anchored_size: '19',
      signed_size: '19',
      anchors: [{ id: 'elsewhere', size: '19' }],
      split_views: [],
    });
    expect(report.verified_up_to).toContainEqual(
      expect.objectContaining({
        log: acme,
        seq: '30',
        signed_size: '31',
        anchored_size: '31',
        root_size: '31',
        unsigned: '0',
      }),
    );
    for (const number of [4, 5, 21, 22, 24, 27, 28] as const) twin(number, 'process');
  });

  test('is valid without its records and recorded heads, because checkpoints vouch for every entry', async () => {
    verifies('P4');
    const report = await verify([], { states: undefined, topics: undefined });
    expect(report).toMatchObject({ verdict: 'valid', findings: [], checks_not_done: [] });
    twin(23, 'process');
  });

  test('is never more than undecidable when the only key is the one the store names', async () => {
    verifies('P4');
    const report = await ledger.attack([]);
    expect(report.verdict).toBe('undecidable');
    expect(report.findings).toEqual([located('NO_PINNED_KEY', ORIGIN, null)]);
    attack(23, 'process', 'NO_PINNED_KEY');
  });

  test('is undecidable when an anchor does not answer', async () => {
    const silent = { id: 'gone', latest: () => Promise.reject(new Error('it does not answer')) };
    const report = await verify([], { anchors: [silent] });
    expect(report.verdict).toBe('undecidable');
    expect(report.findings).toEqual([located('ANCHOR_UNAVAILABLE', 'anchor gone', null)]);
  });

  test('is valid in a window of days of one tenant, held against the checkpoints in it', async () => {
    const report = await verify([], { sinceDay: Math.floor(signedAtMs / 86_400_000) - 1, tenant: 'acme' });
    expect(report).toMatchObject({ verdict: 'valid', findings: [] });
  });
});

describe('entries under a checkpoint', () => {
  test('rewritten to the end together with the recorded head are not those that were signed', async () => {
    verifies('P4');
    const { sql, head } = await rewrittenFrom(ledger, acme, 7);
    const report = await verify(sql, { onLog: headAs(acme, head) });
    expect(report.verdict).toBe('invalid');
    // The first checkpoint after the change says where: size 11 was signed on the first day.
    expect(report.findings[0]).toEqual(located('ROOT_MISMATCH', acme, '10'));
    attack(5, 'process', 'ROOT_MISMATCH');
  });

  test('cut off together with the recorded head are missed', async () => {
    verifies('P4');
    const report = await verify(
      [`ALTER TABLE custody.entries DELETE WHERE log = '${acme}' AND seq > 25 ${SYNC}`],
      {
        onLog: headAs(acme, await headOf(acme, 25)),
        topics: undefined,
      },
    );
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toEqual([located('TRUNCATED', acme, '26')]);
    attack(8, 'process', 'TRUNCATED');
  });

  test('of a log that is gone altogether with its head are missed', async () => {
    verifies('P4');
    const report = await verify([`ALTER TABLE custody.entries DELETE WHERE log = '${acme}' ${SYNC}`], {
      states: undefined,
      topics: undefined,
    });
    expect(report.findings).toEqual([located('LOG_MISSING', acme, '0')]);
    expect(report.verdict).toBe('invalid');
    attack(8, 'process', 'LOG_MISSING');
  });
});

describe('an older copy', () => {
  async function olderStore(): Promise<AttackOptions & { readonly remove: () => void }> {
    const older = testNotary(DEPLOYMENT, key);
    const copy = await writeLedger(1, (store, nowMs) => older.sign(store, nowMs));
    return {
      remove: () => copy.remove(),
      onFiles(store) {
        rmSync(store, { recursive: true });
        cpSync(join(copy.directory, 'store'), store, { recursive: true, verbatimSymlinks: true });
      },
    };
  }
  test('of the store and everything beside it contradicts what an anchor holds', async () => {
    verifies('P4');
    const { remove, ...options } = await olderStore();
    try {
      const report = await verify([], {
        ...options,
        states: undefined,
        topics: undefined,
        anchors: [anchor()],
      });
      expect(report.verdict).toBe('invalid');
      expect(report.findings).toContainEqual(located('ROLLBACK', ORIGIN, '7'));
    } finally {
      remove();
    }
  });

  test('of the anchor log alone is behind the anchor', async () => {
    verifies('P4');
    const sql = [
      'custody.anchor_entries WHERE seq >= 7',
      `custody.checkpoints WHERE time_ms >= ${signedAtMs - 86_400_000}`,
    ];
    const report = await verify(
      sql.map((what) => `ALTER TABLE ${what.replace(' WHERE', ' DELETE WHERE')} ${SYNC}`),
      { anchors: [anchor()] },
    );
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(located('ROLLBACK', ORIGIN, '7'));
    attack(18, 'process', 'ROLLBACK');
  });
});

describe('checkpoints in the store', () => {
  const note = (origin: string, size: number) => {
    const signer = signingKey(origin, 'log', key.privateKey);
    const text = checkpointText({ origin, size: BigInt(size), root: Buffer.alloc(32, 7) });
    return formatNote({ text, signatures: [signText(signer, text, 0n)] });
  };
  test.each([
    {
      ...{ number: 20 as const, cause: 'CHECKPOINT_MISSING' },
      title: 'the newest of a log deleted',
      sql: () => [`ALTER TABLE custody.checkpoints DELETE WHERE origin = '${acme}' AND size = 31 ${SYNC}`],
      found: () => located('CHECKPOINT_MISSING', acme, '30'),
    },
    {
      ...{ number: 20 as const, cause: 'CHECKPOINT_MISSING' },
      title: 'all of a log deleted',
      sql: () => [`ALTER TABLE custody.checkpoints DELETE WHERE origin = '${acme}' ${SYNC}`],
      found: () => located('CHECKPOINT_MISSING', acme, '30'),
    },
    {
      ...{ number: 20 as const, cause: 'CHECKPOINT_MISSING' },
      title: 'one of the anchor log deleted',
      sql: () => [`ALTER TABLE custody.checkpoints DELETE WHERE origin = '${ORIGIN}' AND size = 13 ${SYNC}`],
      found: () => located('CHECKPOINT_MISSING', ORIGIN, '12'),
    },
    {
      ...{ number: 20 as const, cause: 'CHECKPOINT_MISSING' },
      title: 'the newest of the anchor log deleted, without an anchor',
      sql: () => [`ALTER TABLE custody.checkpoints DELETE WHERE origin = '${ORIGIN}' AND size = 19 ${SYNC}`],
      found: () => located('CHECKPOINT_MISSING', ORIGIN, '13'),
    },
    {
      ...{ number: 20 as const, cause: 'NOTE_SIGNATURE' },
      title: 'the signature of one changed',
      sql: () => [
        `ALTER TABLE custody.checkpoints UPDATE note = replaceRegexpOne(note, '(.)(.{12})$', 'A\\\\2') WHERE origin = '${acme}' AND size = 31 ${SYNC}`,
      ],
      found: () => located('NOTE_SIGNATURE', acme, '30'),
    },
    {
      ...{ number: 20 as const, cause: 'NOTE_SIGNATURE' },
      title: 'the size in one changed',
      sql: () => [
        `ALTER TABLE custody.checkpoints UPDATE note = replaceOne(note, '\\n21\\n', '\\n20\\n') WHERE origin = '${acme}' AND size = 21 ${SYNC}`,
      ],
      found: () => located('NOTE_SIGNATURE', acme, '20'),
    },
    {
      ...{ number: 21 as const, cause: 'SPLIT_VIEW' },
      title: 'a second tree of a size signed by the notary',
      sql: () => [
        `INSERT INTO custody.checkpoints VALUES ('${acme}', 21, unhex('${'07'.repeat(32)}'), ${signedAtMs}, '${note(acme, 21)}')`,
      ],
      found: () => located('SPLIT_VIEW', acme, '20'),
    },
    {
      ...{ number: 20 as const, cause: 'UNKNOWN_LOG' },
      title: 'a checkpoint of a log that nobody signed',
      sql: () => [
        `INSERT INTO custody.checkpoints VALUES ('${DEPLOYMENT}/initech/x-0/0', 3, unhex('${'07'.repeat(32)}'), ${signedAtMs}, '${note(`${DEPLOYMENT}/initech/x-0/0`, 3)}')`,
      ],
      found: () => located('UNKNOWN_LOG', `${DEPLOYMENT}/initech/x-0/0`, null),
    },
    {
      ...{ number: 20 as const, cause: 'GAP' },
      title: 'an entry of the anchor log deleted',
      sql: () => [`ALTER TABLE custody.anchor_entries DELETE WHERE seq = 9 ${SYNC}`],
      found: () => located('GAP', ORIGIN, '9'),
    },
    {
      ...{ number: 32 as const, cause: 'TRUNCATED' },
      title: 'the table of anchor entries exchanged for an empty one',
      sql: () => [
        'CREATE TABLE custody.other AS custody.anchor_entries',
        'EXCHANGE TABLES custody.anchor_entries AND custody.other',
      ],
      found: () => located('TRUNCATED', ORIGIN, '0'),
    },
    {
      ...{ number: 32 as const, cause: 'SCHEMA_FINGERPRINT' },
      title: 'the table of checkpoints made again with another engine',
      sql: () => [
        'CREATE TABLE custody.other ENGINE = ReplacingMergeTree ORDER BY (origin, size) AS SELECT * FROM custody.checkpoints',
        'EXCHANGE TABLES custody.checkpoints AND custody.other',
      ],
      found: () => located('SCHEMA_FINGERPRINT', 'custody.checkpoints', null),
    },
  ])('$title: named with its place', async ({ number, cause, sql, found }) => {
    verifies('P4');
    const report = await verify(sql());
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(found());
    attack(number, 'process', cause);
  });

  test('flipped bytes in their files are read errors that count against the store, never a crash', async () => {
    verifies('P4', 'P10');
    const report = await verify([], {
      onFiles(store) {
        const root = join(store, 'store');
        const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
          /\/all_[^/]*\/(data|note|body)\.bin$/.test(file),
        );
        expect(files).not.toEqual([]);
        for (const file of files) {
          const bytes = readFileSync(join(root, file));
          const middle = Math.floor(bytes.length / 2);
          bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
          writeFileSync(join(root, file), bytes);
        }
      },
    });
    expect(report.verdict).toBe('invalid');
    expect(report.findings.map(({ cause }) => cause)).toContain('READ_ERROR');
    attack(35, 'process', 'READ_ERROR');
  });

  test('copies that a retried insert left are harmless', async () => {
    const report = await verify([
      'INSERT INTO custody.checkpoints SELECT * FROM custody.checkpoints SETTINGS insert_deduplicate = 0',
      'INSERT INTO custody.anchor_entries SELECT * FROM custody.anchor_entries SETTINGS insert_deduplicate = 0',
    ]);
    expect(report).toMatchObject({ verdict: 'valid', findings: [] });
    twin(20, 'process');
  });
});

describe('days that are gone', () => {
  const dropFirst = `ALTER TABLE custody.entries DROP PARTITION '${FIRST_DAY}'`;
  const signAgain = (store: ChdbStore, acts: readonly AnchorAct[]) =>
    testNotary(DEPLOYMENT, key, notary.state).sign(store, signedAtMs + 1000, acts);
  const dropDay = (store: ChdbStore) => store.dropper.dropDay(Math.floor(Date.parse(FIRST_DAY) / 86_400_000));

  test('the oldest without an announcement was not removed by right', async () => {
    verifies('P4');
    const report = await verify([dropFirst]);
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(located('UNAUTHORISED_PRUNE', acme, '0'));
    attack(31, 'process', 'UNAUTHORISED_PRUNE');
    attack(7, 'process', 'UNAUTHORISED_PRUNE');
  });

  test('one in the middle is a gap', async () => {
    verifies('P4');
    const report = await verify([`ALTER TABLE custody.entries DROP PARTITION '2026-09-22'`]);
    expect(report.findings).toContainEqual(located('GAP', acme, '11'));
    expect(report.verdict).toBe('invalid');
    attack(31, 'process', 'GAP');
  });

  test('the oldest after an announcement is valid, and the rest verifies from there', async () => {
    const report = await verify([], {
      async onStore(store) {
        await signAgain(store, await pruneActs(store, FIRST_DAY));
        await dropDay(store);
      },
    });
    expect(report.findings).toEqual([]);
    expect(report.verdict).toBe('valid');
    expect(report.verified_up_to).toContainEqual(expect.objectContaining({ log: acme, root_size: '31' }));
    for (const number of [7, 31, 44] as const) twin(number, 'process');
  });

  test('announced and not removed yet, everything is still valid', async () => {
    const report = await verify([], {
      onStore: async (store) => signAgain(store, await pruneActs(store, FIRST_DAY)),
    });
    expect(report).toMatchObject({ verdict: 'valid', findings: [] });
  });

  test('announced against a legal hold, the announcement does not count', async () => {
    verifies('P4');
    const report = await verify([], {
      async onStore(store) {
        const hold = {
          type: 'hold',
          operator: 'o',
          reason: 'r',
          hold_id: 'case-1',
          to_day: FIRST_DAY,
        } as const;
        await signAgain(store, [hold, ...(await pruneActs(store, FIRST_DAY))]);
        await dropDay(store);
      },
    });
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(located('UNAUTHORISED_PRUNE', acme, '0'));
    attack(31, 'process', 'UNAUTHORISED_PRUNE');
  });
});

describe('an engine that does not give every row', () => {
  test('is found by counting', async () => {
    verifies('P4');
    const report = await verify([], {
      through: (raw) => (statement) =>
        raw(
          statement.includes('ORDER BY log, seq')
            ? statement.replace('WHERE (', `WHERE NOT (log = '${acme}' AND seq > 29) AND (`)
            : statement,
        ),
    });
    expect(report.verdict).toBe('invalid');
    expect(report.findings).toContainEqual(located('COUNT_MISMATCH', 'custody.entries', null));
    expect(report.findings).toContainEqual(located('TRUNCATED', acme, '30'));
    attack(34, 'process', 'COUNT_MISMATCH', 'TRUNCATED');
  });
});
