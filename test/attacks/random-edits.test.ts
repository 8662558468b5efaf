import { generateKeyPairSync } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import { formatVerifierKey, signingKey } from '../../evidence/note/key.ts';
import type { Anchor } from '../../notary/anchor.ts';
import { openFileAnchor } from '../../notary/anchors/file-anchor.ts';
import { CustodyError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { PREIMAGE } from '../../sinks/store/migrations/0001-entries.ts';
import { readRows } from '../../sinks/store/clickhouse-store.ts';
import type { RawQuery } from '../../sinks/store/store.ts';
import { verifies } from '../requirements.ts';
import { DEPLOYMENT, type Ledger, writeLedger } from './ledger-fixture.ts';
import { testNotary } from './test-notary.ts';

/** A long run, such as CUSTODY_TEST_EDIT_RUNS=500, takes seconds for each script. */
const RUNS = Number(process.env['CUSTODY_TEST_EDIT_RUNS'] ?? 15);
const SEED = Number(process.env['CUSTODY_EDIT_SEED'] ?? 4);
const ORIGIN = `${DEPLOYMENT}/anchor`;
const key = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
const trust = localTrust(formatVerifierKey(key));
const notary = testNotary(DEPLOYMENT, key);

let ledger: Ledger;
let anchor: Anchor;
let outside: string;
/** The store as it was on the first day: its files can be put back. */
let older: string;
/** Every entry, all of them signed, and every checkpoint and anchor entry. */
let original: Content;

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'custody-outside-'));
  older = join(outside, 'older');
  const config = { id: 'file', type: 'file' as const, path: join(outside, 'anchor.ndjson') };
  anchor = await openFileAnchor(config, { logger: createLogger({ level: 'silent' }) });
  let firstDayMs = 0;
  ledger = await writeLedger(3, async (store, nowMs) => {
    await notary.sign(store, nowMs);
    firstDayMs ||= nowMs;
    const { size, root, note } = notary.head();
    if (root === undefined || note === undefined) throw new Error('the notary has signed nothing');
    const proofFrom = () => Promise.resolve([]);
    await anchor.publish({ origin: ORIGIN, size, root, timeMs: nowMs, note, proofFrom });
  });
  cpSync(join(ledger.directory, 'store'), older, { recursive: true, verbatimSymlinks: true });
  const session = new Session(older);
  for (const day of DAYS.slice(1)) session.query(`ALTER TABLE custody.entries DROP PARTITION '${day}'`);
  for (const table of ['anchor_entries', 'checkpoints'])
    session.query(`ALTER TABLE custody.${table} DELETE WHERE time_ms > ${firstDayMs} ${SYNC}`);
  session.close();
  const { content, verdict } = await played([]);
  expect(verdict).toBe('valid');
  if (content === undefined) throw new Error('the store cannot be read');
  original = content;
  expect(original.entries.size).toBe(78);
});
afterAll(async () => {
  await anchor.close();
  ledger.remove();
  rmSync(outside, { recursive: true, force: true });
});

interface Content {
  readonly entries: ReadonlySet<string>;
  readonly evidence: ReadonlySet<string>;
}

const COLUMNS = 'log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body';

/** What the tables say, as sets: identical copies change nothing. Rejects when it cannot be read. */
async function contentOf(raw: RawQuery): Promise<Content> {
  const linesOf = async (table: string, columns: string) => {
    const lines = new Set<string>();
    const statement = `SELECT lower(hex(toString(tuple(${columns})))) FROM custody.${table}`;
    for await (const line of readRows(raw, statement, (read) => read.string())) lines.add(line);
    return lines;
  };
  const checkpoints = await linesOf('checkpoints', 'origin, size, root, time_ms, note');
  const acts = await linesOf('anchor_entries', 'origin, seq, body, leaf');
  return { entries: await linesOf('entries', COLUMNS), evidence: new Set([...checkpoints, ...acts]) };
}

const SYNC = 'SETTINGS mutations_sync = 2';
const DAYS = ['2026-09-21', '2026-09-22', '2026-09-23'];
const UPDATES = [
  "tenant = 'globex'",
  'kpart = 1',
  "topic = 'custody.events'",
  'koffset = koffset + 1',
  'kts_ms = kts_ms - 1',
  "kind = 'malformed'",
  'prev = SHA256(prev)',
  'body_sha = SHA256(body_sha)',
  'leaf = reverse(leaf)',
  "body = replaceOne(body, 'allow', 'deny')",
  'body = body',
];
/** Columns of a forged row that is not the one it was made of. */
const FORGERIES = [
  ['body', "concat(body, ' ')"],
  ['seq', 'seq + 1000'],
  ['seq', 'seq + 1'],
  ['day', 'day + 1'],
  ['kts_ms', 'kts_ms + 1'],
  ['log', "replaceOne(log, 'acme', 'globex')"],
] as const;
const EVIDENCE = [
  'ALTER TABLE custody.checkpoints DELETE WHERE rand() % 3 = 0',
  "ALTER TABLE custody.checkpoints UPDATE note = replaceOne(note, '\\n', '\\n\\n') WHERE size = 11",
  'ALTER TABLE custody.anchor_entries DELETE WHERE seq % 5 = 2',
  "ALTER TABLE custody.anchor_entries UPDATE body = replaceOne(body, 'size', 'sise') WHERE seq = 3",
  'ALTER TABLE custody.subtrees DELETE WHERE 1',
].map((statement) => `${statement} ${SYNC}`);

const index = (length: number) => fc.nat(length - 1);
const some = fc.record({
  from: fc.nat(30),
  count: fc.integer({ min: 1, max: 6 }),
  tenant: fc.constantFrom('acme', 'globex'),
});
type Rows = typeof some extends fc.Arbitrary<infer T> ? T : never;
const where = ({ from, count, tenant }: Rows) =>
  `tenant = '${tenant}' AND topic = 'custody.events' AND seq >= ${from} AND seq < ${from + count}`;
const copied = (rows: string) =>
  `INSERT INTO custody.entries (${COLUMNS}) SELECT ${COLUMNS} FROM custody.entries WHERE ${rows}`;
/** The rows again with one column changed and hashes that fit; the link is as it was. */
const forged = (changed: string, to: string, rows: string) => {
  const kept = COLUMNS.replace(', body_sha, leaf', '').split(', ');
  const inner = kept.map((column) => (column === changed ? `${to} AS ${column}` : column)).join(', ');
  const hashed = `SELECT *, SHA256(body) AS body_sha FROM (SELECT ${inner} FROM (SELECT ${COLUMNS} FROM custody.entries WHERE ${rows}))`;
  return `INSERT INTO custody.entries (${kept.join(', ')}, body_sha, leaf) SELECT *, SHA256(concat(char(0), ${PREIMAGE})) FROM (${hashed})`;
};
const deleted = (rows: string) => `ALTER TABLE custody.entries DELETE WHERE ${rows} ${SYNC}`;

const sqlEdit = fc.oneof(
  fc
    .tuple(index(UPDATES.length), some)
    .map(([at, rows]) => [`ALTER TABLE custody.entries UPDATE ${UPDATES[at]} WHERE ${where(rows)} ${SYNC}`]),
  some.map((rows) => [deleted(where(rows))]),
  some.map((rows) => [copied(where(rows))]),
  fc.tuple(index(FORGERIES.length), some, fc.boolean()).map(([at, rows, isInPlace]) => {
    const [changed, to] = FORGERIES[at] ?? ['body', "''"];
    return [forged(changed, to, where(rows)), ...(isInPlace ? [deleted(where(rows))] : [])];
  }),
  fc.tuple(some, some).map(([a, b]) => [
    // Two rows swap their bodies, with the hashes of these.
    `ALTER TABLE custody.entries UPDATE body = (SELECT any(body) FROM custody.entries WHERE ${where({ ...b, count: 1 })}), body_sha = SHA256((SELECT any(body) FROM custody.entries WHERE ${where({ ...b, count: 1 })})) WHERE ${where({ ...a, count: 1 })} ${SYNC}`,
  ]),
  index(DAYS.length).map((at) => [`ALTER TABLE custody.entries DROP PARTITION '${DAYS[at]}'`]),
  index(DAYS.length).map((at) => [
    `ALTER TABLE custody.entries DETACH PARTITION '${DAYS[at]}'`,
    `ALTER TABLE custody.entries ATTACH PARTITION '${DAYS[at]}'`,
  ]),
  fc.constant(['OPTIMIZE TABLE custody.entries FINAL']),
  index(EVIDENCE.length).map((at) => [EVIDENCE[at] ?? '']),
);
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const fileEdit = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'append', 'remove'),
  file: fraction,
  at: fraction,
});
const edit = fc.oneof(
  { weight: 6, arbitrary: sqlEdit.map((sql) => ({ sql })) },
  { weight: 2, arbitrary: fileEdit },
  { weight: 1, arbitrary: fc.constant({ restore: true as const }) },
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function editFile(store: string, { kind, file, at }: { kind: string; file: number; at: number }): void {
  const files = readdirSync(store, { recursive: true, encoding: 'utf8' })
    .filter((path) => /[0-9a-f-]{36}\/[^/]+\/[^/]+$/.test(path) && statSync(join(store, path)).isFile())
    .sort();
  const path = join(store, files[Math.floor(file * files.length)] ?? '');
  if (!existsSync(path) || statSync(path).isDirectory()) return;
  const bytes = readFileSync(path);
  const place = Math.floor(at * bytes.length);
  if (kind === 'remove') rmSync(path);
  else if (kind === 'append') writeFileSync(path, Buffer.concat([bytes, Buffer.from('x')]));
  else if (kind === 'cut') writeFileSync(path, bytes.subarray(0, place));
  else {
    bytes[place] = (bytes[place] ?? 0) ^ (1 << (place % 8));
    writeFileSync(path, bytes);
  }
}

/** Plays the script. Over damaged files the engine may refuse a statement. */
function play(store: string, script: readonly Edit[]): void {
  for (const each of script) {
    if ('kind' in each) editFile(store, each);
    else if ('restore' in each) {
      rmSync(store, { recursive: true });
      cpSync(older, store, { recursive: true, verbatimSymlinks: true });
    } else {
      let session: Session | undefined;
      try {
        session = new Session(store);
        for (const statement of each.sql) session.query(statement);
      } catch (error) {
        // Files that were damaged before are a reason; there is no other.
        if (!script.some((other) => 'kind' in other)) throw error;
      } finally {
        session?.close();
      }
    }
  }
}

/** What verification says after the script, and what can be read then; a store that does not open has no verdict. */
async function played(script: readonly Edit[]) {
  let content: Content | undefined;
  try {
    const report = await ledger.attack([], {
      trust,
      anchors: [{ id: 'file', latest: async () => headOf(await anchor.latest?.(ORIGIN)) }],
      onFiles: (store) => play(store, script),
      onStore: async (store) => {
        content = await contentOf(store.raw).catch(() => undefined);
      },
    });
    return { verdict: report.verdict, content, findings: report.findings };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { verdict: 'none', content: undefined, findings: [error.message] };
  }
}

function headOf(head: Awaited<ReturnType<NonNullable<Anchor['latest']>>>) {
  return head && { anchor: 'file', size: head.size, root: head.root, note: head.note };
}

const isSame = (a: ReadonlySet<string>, b: ReadonlySet<string>) =>
  a.size === b.size && [...a].every((line) => b.has(line));

test(
  'whatever script of edits the data directory goes through, it is found out or has changed nothing',
  async () => {
    verifies('P4', 'P10');
    const seen = { changed: 0, unchanged: 0, unreadable: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (script) => {
        const { verdict, content, findings } = await played(script);
        if (content === undefined) {
          seen.unreadable += 1;
          expect({ verdict, findings }).not.toMatchObject({ verdict: 'valid' });
          return;
        }
        const isIntact = isSame(content.entries, original.entries);
        seen[isIntact ? 'unchanged' : 'changed'] += 1;
        if (!isIntact) expect({ verdict, findings }).not.toMatchObject({ verdict: 'valid' });
        // Damage may be where only other statements read: it may be told.
        const isTouched =
          script.some((each) => 'kind' in each) || !isSame(content.evidence, original.evidence);
        if (isIntact && !isTouched) expect({ verdict, findings }).toEqual({ verdict: 'valid', findings: [] });
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(seen.changed).toBeGreaterThan(0);
    expect(seen.unchanged).toBeGreaterThan(0);
    if (RUNS > 15) process.stdout.write(`${JSON.stringify(seen)}\n`);
  },
  Math.max(120_000, RUNS * 30_000),
);
