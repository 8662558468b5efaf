import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  type AnchorAct,
  type AnchorEntry,
  anchorLeaf,
  formatAnchorEntry,
  parseAnchorEntry,
} from '../../../evidence/anchor-log/entry.ts';
import { createKeyRing } from '../../../evidence/anchor-log/key-ring.ts';
import { createSignedLogs } from '../../../evidence/anchor-log/signed-logs.ts';
import { checkpointText } from '../../../evidence/note/checkpoint.ts';
import { formatVerifierKey, type SigningKey, signingKey, signText } from '../../../evidence/note/key.ts';
import { formatNote, parseNote } from '../../../evidence/note/note.ts';
import { verifies } from '../../requirements.ts';
import { LOG, newKey, ORIGIN, pureNotary, rotationOf, trustIn, verifyRows } from './pure-notary.ts';

const key = newKey();
function cycles(count = 4, acts: readonly AnchorAct[] = []) {
  const notary = pureNotary(key);
  for (let cycle = 0; cycle < count; cycle++) notary.cycle(cycle === 1 ? acts : []);
  return notary;
}
const at = (cause: string, seq: bigint | null, log = ORIGIN) =>
  expect.objectContaining({ cause, log, seq }) as unknown;
const withEntry = (rows: ReturnType<typeof cycles>['rows'], seq: number, entry: AnchorEntry) => {
  const body = formatAnchorEntry(entry);
  return { ...rows, entries: rows.entries.with(seq, { seq: BigInt(seq), body, leaf: anchorLeaf(body) }) };
};
const noteBy = (...keys: readonly SigningKey[]) => {
  const text = checkpointText({ origin: ORIGIN, size: 3n, root: Buffer.alloc(32) });
  return parseNote(formatNote({ text, signatures: keys.map((each) => signText(each, text, 0n)) }));
};

test('a log begins with the genesis of its deployment, and has no other', () => {
  verifies('P4');
  const { rows } = cycles();
  const [genesis, first, , third] = rows.entries.map(({ body }) => parseAnchorEntry(body)!);
  const found = (seq: number, entry: AnchorEntry) =>
    verifyRows(withEntry(rows, seq, entry), trustIn(key)).findings;
  expect(found(0, { ...genesis!, deployment: 'other' } as AnchorEntry)[0]).toEqual(at('GENESIS', 0n));
  expect(found(0, { ...first!, time_ms: genesis!.time_ms })[0]).toEqual(at('GENESIS', 0n));
  expect(found(3, { ...genesis!, time_ms: third!.time_ms })[0]).toEqual(at('GENESIS', 3n));
});

test('another entry at a place that is taken is a fork', () => {
  verifies('P4');
  const { rows } = cycles();
  const other = withEntry(rows, 3, {
    ...parseAnchorEntry(rows.entries[3]!.body)!,
    leaf: 'ff'.repeat(32),
  } as AnchorEntry).entries[3]!;
  const entries = rows.entries.toSpliced(4, 0, other);
  expect(verifyRows({ ...rows, entries }, trustIn(key)).findings).toEqual([at('FORK', 3n)]);
  const late = [...rows.entries, rows.entries[1]!];
  expect(verifyRows({ ...rows, entries: late }, trustIn(key)).findings).toEqual([at('FORK', 1n)]);
});

test('an entry that states a checkpoint of no entries is named', () => {
  const findings: unknown[] = [];
  const logs = createSignedLogs((...finding) => void findings.push(finding.slice(0, 3)), 0n);
  const head = {
    schema: 'custody.anchor/v1',
    type: 'checkpoint',
    time_ms: 1,
    root: '0'.repeat(64),
    leaf: '0'.repeat(64),
  } as const;
  logs.add(1n, { ...head, log: LOG, size: '0' });
  expect(findings).toEqual([['ANCHOR_ENTRY', LOG, 1n]]);
  logs.add(2n, { ...head, log: LOG, size: '5' });
  // The tree is the same, its last entry is not.
  logs.add(3n, { ...head, log: LOG, size: '5', leaf: '1'.repeat(64) });
  expect(findings.at(-1)).toEqual(['SPLIT_VIEW', LOG, 4n]);
});

test('an announcement that does not count excuses nothing, and is named with its log', () => {
  verifies('P4');
  const act = { operator: 'o', reason: 'r', log: LOG, leaf: '0'.repeat(64), retention_days: 1 };
  const pruned: AnchorAct = { ...act, type: 'pruned', first_seq: '3', range: [], day: '2026-01-01' };
  const { findings, view } = verifyRows(cycles(4, [pruned]).rows, trustIn(key));
  expect(findings).toEqual([at('UNAUTHORISED_PRUNE', null, LOG)]);
  expect(view.pruned.starts.size).toBe(0);
});

test('a quorum of witnesses is missed when there is a checkpoint and too few of them cosigned', () => {
  verifies('P4');
  const [one, two] = ['w1', 'w2'].map((name) =>
    signingKey(`witness.example/${name}`, 'witness', generateKeyPairSync('ed25519').privateKey),
  ) as [SigningKey, SigningKey];
  const trust = { ...trustIn(key), witnesses: { quorum: 2, keys: [one, two] } };
  const cosignedBy = (...witnesses: readonly SigningKey[]) => {
    const { rows } = cycles();
    const notes = rows.notes.map(({ size, text }) => {
      const note = parseNote(text);
      const cosigned = witnesses.map((witness) => signText(witness, note.text, 7n));
      return { size, text: formatNote({ ...note, signatures: [...note.signatures, ...cosigned] }) };
    });
    return verifyRows({ ...rows, notes }, trust);
  };
  expect(cosignedBy().findings).toEqual([at('WITNESS_QUORUM', 4n)]);
  expect(cosignedBy(one, one).findings).toEqual([at('WITNESS_QUORUM', 4n)]);
  expect(cosignedBy(one, two)).toMatchObject({ findings: [], view: { witnessedSize: 5n } });
  expect(verifyRows({ entries: [], notes: [] }, trust).findings).toEqual([]);
});

test('what an anchor holds counts only when it is a checkpoint of this log that a known key signed', () => {
  verifies('P4');
  const notary = cycles();
  const held = notary.head();
  const text = checkpointText({ origin: 'elsewhere/anchor', size: held.size, root: held.root! });
  const foreign = parseNote(formatNote({ text, signatures: [signText(key, text, 0n)] }));
  const elsewhere = verifyRows(notary.rows, trustIn(key), [{ ...held, note: foreign }]);
  expect(elsewhere.causes).toContain('NOTE_SIGNATURE');
  expect(elsewhere.view.anchoredSize).toBe(0n);
  const stranger = { ...held.note!, signatures: [signText(newKey(), held.note!.text, 0n)] };
  const unknown = verifyRows(notary.rows, trustIn(key), [{ ...held, note: stranger }]);
  expect(unknown.causes).toContain('UNKNOWN_KEY');
  expect(unknown.view.anchoredSize).toBe(0n);
});

test('several anchors are met at their sizes, in whatever order they are given', () => {
  const notary = pureNotary(key);
  const heads = [1, 2, 3].map(() => {
    notary.cycle();
    return notary.head();
  });
  for (const order of [
    [2, 0, 1],
    [1, 2, 0],
    [0, 0, 2],
  ])
    expect(
      verifyRows(
        notary.rows,
        trustIn(key),
        order.map((place) => heads[place]!),
      ),
    ).toMatchObject({
      findings: [],
      view: { anchoredSize: 4n },
    });
});

/** What a ring of the key says of acts and of a checkpoint of size 3 that these signed. */
function ring(act: AnchorAct, signers: readonly SigningKey[], pinned = trustIn(key).keys) {
  const found: string[] = [];
  const keys = createKeyRing(ORIGIN, pinned, (cause, seq) => void found.push(`${cause} ${seq}`));
  keys.genesis(formatVerifierKey(key));
  const entry = { schema: 'custody.anchor/v1', time_ms: 1, ...act } as AnchorEntry;
  if (entry.type === 'key_rotated') keys.rotated(1n, entry);
  if (entry.type === 'key_compromised') keys.compromised(entry);
  if (signers.length > 0) keys.checkpoint(3n, noteBy(...signers));
  keys.finish(3n, 0n);
  return { found, keys };
}

test('a rotation counts only from the key in use, to a key of this log, and under a checkpoint of both', () => {
  verifies('P4');
  const next = newKey();
  const other = newKey();
  const stranger = newKey('elsewhere/anchor');
  const witness = signingKey(ORIGIN, 'witness', generateKeyPairSync('ed25519').privateKey);
  expect(ring(rotationOf(key, next), [key, next]).found).toEqual([]);
  expect(ring(rotationOf(key, next), [key]).found).toContain('ROTATION_INVALID 1');
  expect(ring(rotationOf(key, next), [next]).found).toContain('ROTATION_INVALID 1');
  expect(ring(rotationOf(key, next), []).found).toContain('ROTATION_INVALID 1');
  expect(ring(rotationOf(other, next), [key, other, next]).found).toContain('ROTATION_INVALID 1');
  expect(ring(rotationOf(key, stranger), [key, stranger]).found).toContain('ROTATION_INVALID 1');
  expect(ring(rotationOf(key, witness), [key, witness]).found).toContain('ROTATION_INVALID 1');
  expect(ring(rotationOf(key, next, other), [key, next]).found).toContain('ROTATION_INVALID 1');
  const noKey = { ...rotationOf(key, next), new: 'no key' } as AnchorAct;
  expect(ring(noKey, [key]).found).toContain('ROTATION_INVALID 1');
});

test('a key that nobody trusts hands over to nobody', () => {
  verifies('P4');
  const next = newKey();
  const { found } = ring(rotationOf(key, next), [key, next], trustIn(newKey()).keys);
  expect(found).toEqual(['UNKNOWN_KEY 2']);
});

test('a key is known from its checkpoint on: what lies elsewhere is judged by the keys of the ring', () => {
  const next = newKey();
  const { keys } = ring(rotationOf(key, next), [key, next]);
  expect(keys.knows(noteBy(next))).toBe(true);
  expect(keys.knows(noteBy(newKey()))).toBe(false);
  expect(keys.signers).toEqual([key, next].map(formatVerifierKey));
  expect(ring(rotationOf(key, next), [key]).keys.signers).toEqual([formatVerifierKey(key)]);
});

test('a theft counts from the smallest size that anybody named, and one of an unknown key changes nothing', () => {
  verifies('P4');
  const theft = (since_size: string, of = key) =>
    ({
      type: 'key_compromised',
      operator: 'o',
      reason: 'r',
      key: formatVerifierKey(of),
      since_size,
    }) as const;
  const pinned = (since: string) => trustIn({ key, compromised_since_size: since }).keys;
  expect(ring(theft('2'), [key]).found).toEqual(['KEY_WINDOW 2']);
  expect(ring(theft('2', newKey()), [key]).found).toEqual([]);
  expect(ring(theft('9'), [key], pinned('2')).found).toEqual(['KEY_WINDOW 2']);
  expect(ring(theft('2'), [key], pinned('9')).found).toEqual(['KEY_WINDOW 2']);
  expect(ring(theft('9'), [key], pinned('9')).found).toEqual([]);
});

test('a pinned key counts in its window of sizes only', () => {
  verifies('P4');
  const none = rotationOf(newKey(), newKey());
  const windowed = (window: { from_size?: string; until_size?: string }) =>
    ring({ ...none, type: 'bundle' } as never, [key], trustIn({ key, ...window }).keys).found;
  expect(windowed({ from_size: '3' })).toEqual([]);
  expect(windowed({ from_size: '4' })).toEqual(['KEY_WINDOW 2']);
  expect(windowed({ until_size: '4' })).toEqual([]);
  expect(windowed({ until_size: '3' })).toEqual(['KEY_WINDOW 2']);
});
