import { describe, expect, test } from 'vitest';
import { entryPreimage, leafHash } from '../../evidence/entry.ts';
import { createEntryBuilder, genesisBody } from '../../evidence/entry-builder.ts';
import type { Finding } from '../../evidence/finding.ts';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { createTreeHasher } from '../../evidence/merkle/tree-hasher.ts';
import type { ExpectedHead } from '../../evidence/expected-head.ts';
import type { RawEntry } from '../../evidence/raw-entry.ts';
import { createLogVerifier, type LogVerifierOptions } from '../../evidence/verify-log.ts';
import { verifies } from '../requirements.ts';

const DAY_MS = 86_400_000;
const START_MS = 20_700 * DAY_MS;
const source = { deployment: 'test', topic: 'custody.events', topicId: 't-events', partition: 7 };

/** Rows of logs as the writer makes them, four a day; tenants in the order of their log ids. */
function written(tenant = 'acme', count = 12): RawEntry[] {
  const builder = createEntryBuilder(source, { day: -1, heads: [] });
  return Array.from({ length: count }, (_, place) =>
    builder.add({
      key: tenant,
      value: Buffer.from(JSON.stringify({ n: place, schema: 'custody.event/v1', tenant })),
      offset: BigInt(place * 2),
      appendTimeMs: START_MS + Math.floor(place / 4) * DAY_MS,
    }),
  )
    .flat()
    .map(({ logId, appendTimeMs, ...entry }) => ({
      ...entry,
      log: logId,
      appendTimeMs: BigInt(appendTimeMs),
    }));
}
const ROWS = written();
const LOG = ROWS[0]!.log;
const GLOBEX = written('globex', 3);

/** Rows whose hashes and links are right again from `from` on, as somebody with the engine would write them. */
function relinked(rows: readonly RawEntry[], from = 0): RawEntry[] {
  const out = rows.slice(0, from);
  for (const row of rows.slice(from)) {
    const prev = out.at(-1)?.leaf ?? row.prev;
    const place = { ...row, logId: row.log };
    out.push({ ...row, prev, leaf: leafHash(entryPreimage(place, prev, row.bodySha)) });
  }
  return out;
}
function edited(seq: number, change: Partial<RawEntry>): RawEntry[] {
  return ROWS.map((row, at) => (at === seq ? { ...row, ...change } : row));
}
function without(...seqs: number[]): RawEntry[] {
  return ROWS.filter(({ seq }) => !seqs.includes(Number(seq)));
}
function rootOf(size: number): string {
  const tree = createTreeHasher();
  for (const { leaf } of ROWS.slice(0, size)) tree.append(Buffer.from(leaf, 'hex'));
  return Buffer.from(tree.root()).toString('hex');
}
const headAt = (seq: number): ExpectedHead => ({ seq: BigInt(seq), leaf: ROWS[seq]!.leaf });
const signedAt = (seq: number, signedDay = 20_700): ExpectedHead => ({
  ...headAt(seq),
  root: rootOf(seq + 1),
  signedDay,
});
const expecting = (...heads: readonly ExpectedHead[]) => ({ expected: new Map([[LOG, heads]]) });
/** Entries below `firstSeq` were announced to go. */
function startAt(firstSeq: number): Pick<LogVerifierOptions, 'starts'> {
  const range = growRange();
  for (const { leaf } of ROWS.slice(0, firstSeq)) range.append(Buffer.from(leaf, 'hex'));
  const start = { firstSeq: BigInt(firstSeq), leaf: ROWS[firstSeq - 1]!.leaf, range };
  return { starts: new Map([[LOG, { ...start, day: '2026-01-01', anchorSeq: 1n }]]) };
}

function verify(rows: readonly RawEntry[], options: Partial<LogVerifierOptions> = {}) {
  const findings: Finding[] = [];
  const onFinding = (finding: Finding) => void findings.push(finding);
  const verifier = createLogVerifier({ expected: new Map(), window: false, onFinding, ...options });
  for (const row of rows) verifier.push(row);
  verifier.finish();
  const found = findings.map(({ cause, log, seq, column }) =>
    [cause, log === LOG ? 'acme' : log, String(seq), column].filter((part) => part !== null).join(' '),
  );
  return { ...verifier, found, details: findings.map(({ detail }) => detail).join('\n') };
}

describe('a log that is right', () => {
  test('gives no finding, and says where it ends', () => {
    const { found, logs, entryCount, duplicateCount } = verify([...ROWS, ...GLOBEX], {
      expected: new Map([
        [LOG, [headAt(12)]],
        [GLOBEX[0]!.log, [{ seq: 3n, leaf: GLOBEX[3]!.leaf }]],
      ]),
    });
    expect(found).toEqual([]);
    expect(logs.get(LOG)).toEqual({ seq: 12n, leaf: ROWS[12]!.leaf, topic: source.topic, offset: 22n });
    expect(logs.size).toBe(2);
    expect({ entryCount, duplicateCount }).toEqual({ entryCount: 17, duplicateCount: 0 });
  });

  test.each([
    ['several signed sizes', ROWS, expecting(signedAt(0), signedAt(5), signedAt(12))],
    ['a log that goes on after what was signed', ROWS, expecting(signedAt(5))],
    ['a window of it', ROWS.slice(5), { ...expecting(headAt(3), signedAt(9)), window: true }],
    ['what comes after an entry that is known', ROWS.slice(5), { from: new Map([[LOG, endAt(4)]]) }],
    [
      'one whose first entries were announced to go',
      ROWS.slice(6),
      { ...expecting(signedAt(12)), ...startAt(6) },
    ],
    [
      'one of which some of these are still there',
      without(0, 1, 4),
      { ...expecting(signedAt(12)), ...startAt(6) },
    ],
    ['one of which all of these are still there', ROWS, { ...expecting(signedAt(12)), ...startAt(6) }],
    ['one of which everything was announced to go', [], { ...expecting(signedAt(5)), ...startAt(13) }],
    [
      'one of which some of everything is still there',
      ROWS.slice(0, 9),
      { ...expecting(signedAt(11)), ...startAt(13) },
    ],
  ])('in the case of %s', (_, rows, options) => {
    expect(verify(rows, options).found).toEqual([]);
  });

  test('is found to have the root that was signed, unless rows were not read', () => {
    expect(verify(ROWS, expecting(signedAt(5), signedAt(12))).rootedSizes.get(LOG)).toBe(13n);
    expect(verify(ROWS.slice(6), { ...expecting(signedAt(12)), ...startAt(6) }).rootedSizes.get(LOG)).toBe(
      13n,
    );
    // The first entries were not read: nothing is said of the tree.
    expect(verify(ROWS.slice(3), { ...expecting(signedAt(12)), window: true }).rootedSizes.size).toBe(0);
    expect(verify(ROWS, expecting(headAt(12))).rootedSizes.size).toBe(0);
    const verifier = createLogVerifier({
      ...expecting(signedAt(12)),
      window: false,
      onFinding: () => undefined,
    });
    for (const row of ROWS.slice(0, 4)) verifier.push(row);
    verifier.forgetTrees();
    for (const row of ROWS.slice(4)) verifier.push(row);
    for (const row of GLOBEX) verifier.push(row);
    verifier.finish();
    expect(verifier.rootedSizes.size).toBe(0);
  });

  test('may hold an identical copy of a row, which is counted', () => {
    const { found, duplicateCount } = verify(
      [...ROWS.slice(0, 4), ROWS[3]!, ...ROWS.slice(4)],
      expecting(signedAt(12)),
    );
    expect({ found, duplicateCount }).toEqual({ found: [], duplicateCount: 1 });
  });
});

function endAt(seq: number) {
  const { leaf, topic, offset } = ROWS[seq]!;
  return { seq: BigInt(seq), leaf, topic, offset };
}
const other = Buffer.from('{}');
const genesisElsewhere = {
  ...ROWS[0]!,
  body: genesisBody({ ...source, tenant: 'x', epoch: 0 }, source.topic),
};

describe('what is wrong is located and named', () => {
  test.each<[string, readonly RawEntry[], Partial<LogVerifierOptions>, string[]]>([
    ['a body', edited(4, { body: other }), {}, ['BODY_HASH acme 4 body']],
    [
      'a body hash',
      edited(4, { bodySha: '0'.repeat(64) }),
      {},
      ['BODY_HASH acme 4 body', 'LEAF_HASH acme 4'],
    ],
    ['a leaf', edited(12, { leaf: '0'.repeat(64) }), {}, ['LEAF_HASH acme 12']],
    [
      'a leaf in the middle',
      edited(4, { leaf: '0'.repeat(64) }),
      {},
      ['LEAF_HASH acme 4', 'LINK acme 5 prev'],
    ],
    ['a link', edited(4, { prev: '0'.repeat(64) }), {}, ['LEAF_HASH acme 4', 'LINK acme 4 prev']],
    ['a tenant', edited(4, { tenant: 'globex' }), {}, ['DERIVED_MISMATCH acme 4 tenant']],
    ['an append time', edited(4, { appendTimeMs: ROWS[4]!.appendTimeMs + 1n }), {}, ['LEAF_HASH acme 4']],
    ['a kind of none', relinked(edited(4, { kind: 'other' }), 4), {}, ['FIELD acme 4 kind']],
    ['a control entry further on', relinked(edited(4, { kind: 'control' }), 4), {}, ['FIELD acme 4 kind']],
    ['a partition that is hashed', relinked(edited(4, { partition: 8 }), 4), {}, ['LOG_ID acme 4 kpart']],
    ['a partition', edited(4, { partition: 8 }), {}, ['LEAF_HASH acme 4']],
    ['a topic', relinked(edited(4, { topic: 'other' }), 4), {}, ['LOG_ID acme 4 topic']],
    ['an offset', relinked(edited(4, { offset: 3n }), 4), {}, ['OFFSET_ORDER acme 4 koffset']],
    [
      'an offset twice',
      relinked(edited(4, { offset: ROWS[3]!.offset }), 4),
      {},
      ['OFFSET_ORDER acme 4 koffset'],
    ],
    ['a day that goes back', edited(7, { day: 20_699 }), {}, ['DAY acme 7 day', 'DAY acme 7 day']],
    ['a day before the append time', edited(1, { day: 20_699 }), {}, ['DAY acme 1 day', 'DAY acme 1 day']],
    ['a day without reason', edited(12, { day: 20_704 }), {}, ['DAY acme 12 day']],
    ['no genesis', relinked(edited(0, { kind: 'event' })), {}, ['GENESIS acme 0 kind']],
    [
      'another genesis',
      relinked([genesisElsewhere, ...ROWS.slice(1)]),
      {},
      ['BODY_HASH acme 0 body', 'GENESIS acme 0 body'],
    ],
    ['one that begins at nothing', relinked(edited(0, { prev: '1'.repeat(64) })), {}, ['LINK acme 0 prev']],
    ['an entry that is gone', without(4), {}, ['GAP acme 4']],
    ['entries that are gone', without(4, 5, 9), {}, ['GAP acme 4', 'GAP acme 9']],
    ['an entry after the announced ones', without(0, 1, 6), startAt(6), ['GAP acme 6']],
    ['the first entries', ROWS.slice(3), {}, ['HEAD_MISSING acme 0']],
    ['the first of a later day', ROWS.slice(5), { oldestDay: 20_701 }, ['HEAD_MISSING acme 0']],
    [
      'a day that was signed',
      ROWS.slice(5),
      { ...expecting(signedAt(4), signedAt(12, 20_702)), oldestDay: 20_701 },
      ['UNAUTHORISED_PRUNE acme 0'],
    ],
    [
      'a part of a day that was signed',
      ROWS.slice(3),
      { ...expecting(signedAt(4)), oldestDay: 20_700 },
      ['HEAD_MISSING acme 0'],
    ],
    [
      'a day of which older ones are left',
      ROWS.slice(5),
      { ...expecting(signedAt(4)), oldestDay: 20_699 },
      ['HEAD_MISSING acme 0'],
    ],
    [
      'more days than were announced',
      ROWS.slice(9),
      { ...startAt(5), oldestDay: 20_702 },
      ['UNAUTHORISED_PRUNE acme 5'],
    ],
    ['more than was announced', ROWS.slice(7), { ...startAt(5), oldestDay: 20_700 }, ['HEAD_MISSING acme 5']],
    [
      'two entries at one place',
      [...ROWS, { ...relinked(edited(12, { offset: 99n }), 12)[12]! }],
      {},
      ['FORK acme 12'],
    ],
    ['rows in no order', [...ROWS, ROWS[4]!], {}, ['ROW_ORDER acme 4']],
    [
      'a log in two parts',
      [...ROWS.slice(0, 6), ...GLOBEX, ...ROWS.slice(6)],
      {},
      ['ROW_ORDER acme 6', 'HEAD_MISSING acme 0'],
    ],
    [
      'an entry that does not fit the one before',
      ROWS.slice(5),
      { from: new Map([[LOG, { ...endAt(4), leaf: '0'.repeat(64) }]]) },
      ['LINK acme 5 prev'],
    ],
    [
      'an entry that does not fit the announced ones',
      relinked([{ ...ROWS[6]!, prev: '1'.repeat(64) }, ...ROWS.slice(7)]),
      startAt(6),
      ['LINK acme 6 prev'],
    ],
    ['an end that was written', ROWS.slice(0, 9), expecting(headAt(12)), ['TRUNCATED acme 9']],
    ['an end that was signed', ROWS.slice(0, 9), expecting(signedAt(5), signedAt(12)), ['TRUNCATED acme 9']],
    ['a log that was written', GLOBEX, expecting(headAt(12)), ['LOG_MISSING acme 0']],
    ['a log that was signed', [], expecting(signedAt(12)), ['LOG_MISSING acme 0']],
    [
      'a log that was not announced to its end',
      [],
      { ...expecting(signedAt(12)), ...startAt(6) },
      ['LOG_MISSING acme 0'],
    ],
    ['a recorded head', ROWS, expecting({ ...headAt(6), leaf: '0'.repeat(64) }), ['HEAD_MISMATCH acme 6']],
    ['a signed leaf', ROWS, expecting({ ...signedAt(6), leaf: '0'.repeat(64) }), ['ROOT_MISMATCH acme 6']],
    [
      'a signed root',
      ROWS,
      expecting({ ...signedAt(6), root: '0'.repeat(64) }, signedAt(12)),
      ['ROOT_MISMATCH acme 6'],
    ],
    [
      'the leaf of the announced ones',
      ROWS,
      { starts: new Map([[LOG, { ...startAt(6).starts!.get(LOG)!, leaf: '0'.repeat(64) }]]) },
      ['HEAD_MISMATCH acme 5'],
    ],
  ])('%s', (_, rows, options, causes) => {
    verifies('P4');
    expect(verify(rows, options).found).toEqual(causes);
  });

  test('a log id in no known form is named, and none of it is judged by its parts', () => {
    verifies('P10');
    const odd = ROWS.map((row) => ({ ...row, log: 'odd' }));
    expect(verify(odd.slice(0, 2)).found).toEqual(['LOG_ID odd 0 log', 'LOG_ID odd 1 log']);
  });

  test('says whether what is missing was written or signed', () => {
    expect(verify(ROWS.slice(0, 9), expecting(headAt(12))).details).toContain('was written up to seq 12');
    expect(verify(ROWS.slice(0, 9), expecting(signedAt(5), headAt(12))).details).toContain(
      'was written up to seq 12',
    );
    expect(verify(ROWS.slice(0, 9), expecting(signedAt(10), headAt(12))).details).toContain(
      'was signed up to seq 12',
    );
    expect(verify([], expecting(headAt(12))).details).toContain('was written up to seq 12');
    expect(verify([], expecting(signedAt(12))).details).toContain('was signed up to seq 12');
    expect(verify(ROWS, expecting({ ...headAt(6), leaf: '0' })).details).toContain('the entry written here');
    expect(verify(ROWS, expecting({ ...signedAt(6), leaf: '0' })).details).toContain('the entry signed here');
  });

  test('a fork of very many entries is remembered up to a bound, and either of the first may be gone on from', () => {
    verifies('P10');
    const forks = Array.from(
      { length: 40 },
      (_, at) => relinked(edited(12, { offset: 100n + BigInt(at) }), 12)[12]!,
    );
    expect(verify([...ROWS, ...forks]).found).toHaveLength(40);
    const next = (from: RawEntry) => relinked([from, { ...ROWS[12]!, seq: 13n, offset: 999n }], 1)[1]!;
    expect(verify([...ROWS, ...forks, next(forks[3]!)]).found).toHaveLength(40);
    expect(verify([...ROWS, ...forks, next(forks[39]!)]).found).toContain('LINK acme 13 prev');
  });
});
