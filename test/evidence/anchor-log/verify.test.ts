import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { anchorLeaf, formatAnchorEntry, parseAnchorEntry } from '../../../evidence/anchor-log/entry.ts';
import { NO_TRUST } from '../../../evidence/anchor-log/pinned-keys.ts';
import { checkpointText } from '../../../evidence/note/checkpoint.ts';
import { formatVerifierKey, type SigningKey, signingKey, signText } from '../../../evidence/note/key.ts';
import { formatNote, parseNote } from '../../../evidence/note/note.ts';
import { attack, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import { LOG, newKey, ORIGIN, pureNotary, rotationOf, trustIn, verifyRows } from './pure-notary.ts';

const key = newKey();
const signed = (by: SigningKey, size: bigint, root: Uint8Array): string => {
  const text = checkpointText({ origin: ORIGIN, size, root });
  return formatNote({ text, signatures: [signText(by, text, 0n)] });
};
/** Six cycles: entries 0 to 6, checkpoints of sizes 2 to 7. */
function sixCycles(by = key) {
  const notary = pureNotary(by);
  for (let cycle = 0; cycle < 6; cycle++) notary.cycle();
  return notary;
}
const at = (cause: string, seq: bigint | null, log = ORIGIN) =>
  expect.objectContaining({ cause, log, seq }) as unknown;

test('an untouched anchor log is verified to its end, and so is what an anchor holds of it', () => {
  const notary = pureNotary(key);
  for (let cycle = 0; cycle < 3; cycle++) notary.cycle();
  const anchored = notary.head();
  for (let cycle = 0; cycle < 3; cycle++) notary.cycle();
  const { findings, view } = verifyRows(notary.rows, trustIn(key), [anchored]);
  expect(findings).toEqual([]);
  expect(view).toMatchObject({ size: 7n, signedSize: 7n, anchoredSize: 4n });
  expect(view.logs.get(LOG)?.heads.at(-1)).toMatchObject({ size: 6n, anchorSeq: 6n });
  expect(view.logs.get(LOG)?.newestAnchored).toMatchObject({ size: 3n });
  expect(view.signers).toEqual([formatVerifierKey(key)]);
});

test('copies of entries and checkpoints that a retried insert left are harmless', () => {
  const { rows } = sixCycles();
  const twice = {
    entries: rows.entries.flatMap((entry) => [entry, entry]),
    notes: rows.notes.flatMap((note) => [note, note]),
  };
  expect(verifyRows(twice, trustIn(key)).findings).toEqual([]);
  twin(20, 'process');
  twin(21, 'process');
});

test('a thousand checkpoints of a log are remembered by a few, the first and the newest among them', () => {
  const notary = pureNotary(key);
  for (let cycle = 0; cycle < 300; cycle++) notary.cycle();
  const { findings, view } = verifyRows(notary.rows, trustIn(key));
  expect(findings).toEqual([]);
  const sizes = view.logs.get(LOG)?.heads.map(({ size }) => size) ?? [];
  expect(sizes.length).toBeLessThanOrEqual(17);
  expect([sizes[0], sizes.at(-1)]).toEqual([1n, 300n]);
  expect(sizes).toEqual(sizes.toSorted((a, b) => Number(a - b)));
});

test('a changed entry does not have its leaf, and with a new leaf is not in the signed tree', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const entry = parseAnchorEntry(rows.entries[3]!.body)!;
  const body = formatAnchorEntry({ ...entry, root: 'ff'.repeat(32) } as typeof entry);
  const changed = rows.entries.with(3, { ...rows.entries[3]!, body });
  expect(verifyRows({ ...rows, entries: changed }, trustIn(key)).findings).toContainEqual(
    at('LEAF_HASH', 3n),
  );
  const rehashed = rows.entries.with(3, { seq: 3n, body, leaf: anchorLeaf(body) });
  const { findings } = verifyRows({ ...rows, entries: rehashed }, trustIn(key));
  expect(findings[0]).toEqual(at('ROOT_MISMATCH', 3n));
  attack(20, 'process', 'LEAF_HASH', 'ROOT_MISMATCH');
});

test.each([
  ['removed', 'GAP', 3n, (rows: ReturnType<typeof sixCycles>['rows']) => rows.entries.toSpliced(3, 1)],
  ['cut off', 'TRUNCATED', 5n, (rows: ReturnType<typeof sixCycles>['rows']) => rows.entries.slice(0, 5)],
])('entries that were %s are named as %s', (_title, cause, seq, edit) => {
  verifies('P4');
  const { rows } = sixCycles();
  expect(verifyRows({ ...rows, entries: edit(rows) }, trustIn(key)).findings).toContainEqual(at(cause, seq));
});

test('a checkpoint that was removed is missed at the end of its cycle', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const { findings } = verifyRows({ ...rows, notes: rows.notes.toSpliced(2, 1) }, trustIn(key));
  expect(findings).toEqual([at('CHECKPOINT_MISSING', 3n)]);
  attack(20, 'process', 'CHECKPOINT_MISSING');
});

test('the newest checkpoint that was removed is missed where an anchor holds it', () => {
  verifies('P4');
  const notary = sixCycles();
  const rows = { ...notary.rows, notes: notary.rows.notes.slice(0, -1) };
  expect(verifyRows(rows, trustIn(key), [notary.head()]).findings).toEqual([at('CHECKPOINT_MISSING', 6n)]);
  attack(20, 'process', 'CHECKPOINT_MISSING');
});

test('a signature that was changed, and text that is no checkpoint, are bad signatures', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const note = parseNote(rows.notes[2]!.text);
  const broken = Buffer.from(note.signatures[0]!.signature);
  broken[5]! ^= 1;
  const texts = [
    formatNote({ ...note, signatures: [{ ...note.signatures[0]!, signature: broken }] }),
    'no note',
    formatNote({ ...note, text: note.text.replace(ORIGIN, 'elsewhere/anchor') }),
  ];
  for (const text of texts) {
    const notes = rows.notes.with(2, { size: rows.notes[2]!.size, text });
    expect(verifyRows({ ...rows, notes }, trustIn(key)).findings).toContainEqual(at('NOTE_SIGNATURE', 3n));
  }
  attack(20, 'process', 'NOTE_SIGNATURE');
});

test('two trees of one size, both signed, are a split view, and both notes are kept as proof', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const other = { size: 4n, text: signed(key, 4n, Buffer.alloc(32, 9)) };
  const { findings, view } = verifyRows({ ...rows, notes: [...rows.notes, other] }, trustIn(key));
  expect(findings).toEqual([at('SPLIT_VIEW', 3n)]);
  expect(view.splits).toEqual([{ size: 4n, notes: [rows.notes[2]!.text, other.text] }]);
  attack(21, 'process', 'SPLIT_VIEW');
});

test('an anchor that holds another tree is a split view, with its note and ours', () => {
  verifies('P4');
  const ours = sixCycles();
  const theirs = pureNotary(key);
  for (let cycle = 0; cycle < 4; cycle++) theirs.cycle([], 77);
  const { findings, view } = verifyRows(ours.rows, trustIn(key), [theirs.head()]);
  expect(findings).toEqual([at('SPLIT_VIEW', 4n)]);
  expect(view.splits[0]?.notes[1]).toBe(theirs.rows.notes.at(-1)?.text);
  expect(view.anchoredSize).toBe(0n);
  attack(21, 'process', 'SPLIT_VIEW');
});

test('a store that is behind an anchor was rolled back, also together with the notary', () => {
  verifies('P4');
  const notary = sixCycles();
  const rows = { entries: notary.rows.entries.slice(0, 4), notes: notary.rows.notes.slice(0, 3) };
  expect(verifyRows(rows, trustIn(key), [notary.head()]).findings).toEqual([at('ROLLBACK', 4n)]);
  const empty = verifyRows({ entries: [], notes: [] }, trustIn(key), [notary.head()]);
  expect(empty.findings).toEqual([at('ROLLBACK', 0n)]);
  attack(18, 'process', 'ROLLBACK');
});

test('a store that has not taken the last cycle yet is not behind the notary that made it', () => {
  const notary = sixCycles();
  const rows = { entries: notary.rows.entries.slice(0, 6), notes: notary.rows.notes.slice(0, 5) };
  const memory = { ...notary.head(), anchor: 'notary', settledSize: 6n, isOwn: true };
  expect(verifyRows(rows, trustIn(key), [memory]).findings).toEqual([]);
  const rolledBack = { entries: rows.entries.slice(0, 5), notes: rows.notes.slice(0, 4) };
  expect(verifyRows(rolledBack, trustIn(key), [memory]).findings).toEqual([at('ROLLBACK', 5n)]);
  twin(18, 'process');
  twin(19, 'process');
});

test('what the notary remembers is met, and anchors nothing', () => {
  const notary = sixCycles();
  const { findings, view } = verifyRows(notary.rows, trustIn(key), [{ ...notary.head(), isOwn: true }]);
  expect(findings).toEqual([]);
  expect(view.anchoredSize).toBe(0n);
  expect(view.logs.get(LOG)?.newestAnchored).toBeUndefined();
});

test('a log that shrinks, and one with two trees of one size, are named with their size', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const entry = parseAnchorEntry(rows.entries[3]!.body)!;
  const replaced = (change: object) => {
    const body = formatAnchorEntry({ ...entry, ...change });
    return { ...rows, entries: rows.entries.with(3, { seq: 3n, body, leaf: anchorLeaf(body) }) };
  };
  const shrunk = verifyRows(replaced({ size: '1' }), trustIn(key)).findings;
  expect(shrunk).toContainEqual(at('ROLLBACK', 0n, LOG));
  const same = verifyRows(replaced({ size: '2' }), trustIn(key)).findings;
  expect(same).toContainEqual(at('SPLIT_VIEW', 1n, LOG));
  const later = verifyRows(replaced({ size: '40' }), trustIn(key)).findings;
  expect(later).toContainEqual(at('ROLLBACK', 3n, LOG));
});

test('time that goes back, and a cycle signed in two parts, contradict the order', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const [third, fourth] = [
    parseAnchorEntry(rows.entries[3]!.body)!,
    parseAnchorEntry(rows.entries[4]!.body)!,
  ];
  for (const time_ms of [third.time_ms, third.time_ms - 1]) {
    const body = formatAnchorEntry({ ...fourth, time_ms });
    const entries = rows.entries.with(4, { seq: 4n, body, leaf: anchorLeaf(body) });
    expect(verifyRows({ ...rows, entries }, trustIn(key)).findings).toContainEqual(at('ANCHOR_TIME', 4n));
  }
  attack(26, 'process', 'ANCHOR_TIME');
});

test.each([
  ['bytes that are no JSON', Buffer.from('{')],
  ['JSON that is not canonical', Buffer.from('{"type": "prune_done"}')],
  ['an unknown type', Buffer.from('{"schema":"custody.anchor/v1","time_ms":1,"type":"other"}')],
])('%s in the place of an entry are named, never a crash', (_title, body) => {
  verifies('P4', 'P10');
  const { rows } = sixCycles();
  const entries = rows.entries.with(3, { seq: 3n, body, leaf: anchorLeaf(body) });
  expect(verifyRows({ ...rows, entries }, trustIn(key)).findings).toContainEqual(at('ANCHOR_ENTRY', 3n));
});

test('checkpoints of a key that nobody knows, also under the same name, are named', () => {
  verifies('P4');
  const stranger = newKey();
  const { causes } = verifyRows(sixCycles(stranger).rows, trustIn(key));
  expect(new Set(causes)).toEqual(new Set(['UNKNOWN_KEY']));
  attack(22, 'process', 'UNKNOWN_KEY');
});

test('a signature under the id of a known key that another key made is bad', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const forger = { ...newKey(), keyId: key.keyId };
  const note = parseNote(rows.notes[5]!.text);
  const text = formatNote({ ...note, signatures: [signText(forger, note.text, 0n)] });
  const { findings } = verifyRows({ ...rows, notes: rows.notes.with(5, { size: 7n, text }) }, trustIn(key));
  expect(findings).toContainEqual(at('NOTE_SIGNATURE', 6n));
  attack(22, 'process', 'NOTE_SIGNATURE');
});

test('the key that the log names itself is no key: the verdict cannot be valid', () => {
  verifies('P4');
  expect(verifyRows(sixCycles().rows, NO_TRUST).causes).toEqual(['NO_PINNED_KEY']);
  attack(23, 'process', 'NO_PINNED_KEY');
});

test('a rewritten log signed by a stolen key is refused beyond the theft, unless an anchor has it', () => {
  verifies('P4');
  const notary = sixCycles();
  const stolen = trustIn({ key, compromised_since_size: '4' }, newKey());
  expect(verifyRows(notary.rows, stolen).findings).toEqual([at('KEY_WINDOW', 6n)]);
  expect(verifyRows(notary.rows, stolen, [notary.head()]).findings).toEqual([]);
  attack(24, 'process', 'KEY_WINDOW');
  twin(24, 'process');
});

test('a stolen key counts below the size of its theft, and not for that size itself', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const since = (size: string) => trustIn({ key, compromised_since_size: size });
  expect(verifyRows(rows, since('7')).findings).toEqual([at('KEY_WINDOW', 6n)]);
  expect(verifyRows(rows, since('8')).findings).toEqual([]);
});

test('a stolen key counts where a quorum of pinned witnesses cosigned the checkpoint', () => {
  verifies('P4');
  const { rows } = sixCycles();
  const witness = signingKey('witness.example/w1', 'witness', generateKeyPairSync('ed25519').privateKey);
  const stolen = {
    ...trustIn({ key, compromised_since_size: '4' }),
    witnesses: { quorum: 1, keys: [witness] },
  };
  const cosigned = rows.notes.map(({ size, text }) => {
    const note = parseNote(text);
    return {
      size,
      text: formatNote({ ...note, signatures: [...note.signatures, signText(witness, note.text, 7n)] }),
    };
  });
  expect(verifyRows({ ...rows, notes: cosigned }, stolen).findings).toEqual([]);
  const upToFive = rows.notes.map((note, index) => (note.size <= 5n ? cosigned[index]! : note));
  expect(verifyRows({ ...rows, notes: upToFive }, stolen).findings).toEqual([at('KEY_WINDOW', 6n)]);
});

test('a stolen key cannot hand over to a thief, unless an anchor has the checkpoint of it', () => {
  verifies('P4');
  const notary = sixCycles();
  notary.rotate(newKey());
  const handedOver = notary.head();
  notary.cycle();
  const stolen = trustIn({ key, compromised_since_size: '5' });
  expect(verifyRows(notary.rows, stolen).causes).toEqual(['KEY_WINDOW']);
  expect(verifyRows(notary.rows, stolen, [handedOver]).findings).toEqual([]);
  const ended = trustIn({ key, until_size: '9' });
  expect(verifyRows(notary.rows, ended).causes).toEqual(['UNKNOWN_KEY']);
});

test('a theft that the log itself reports leaves everything a later key signed valid', () => {
  const notary = sixCycles();
  const next = newKey();
  notary.rotate(next);
  const [old, since_size] = [formatVerifierKey(key), '3'];
  notary.cycle([{ type: 'key_compromised', operator: 'o', reason: 'r', key: old, since_size }]);
  expect(verifyRows(notary.rows, trustIn(key)).findings).toEqual([]);
  twin(24, 'process');
});

test.each([
  ['the old key', (old: SigningKey) => trustIn(old)],
  ['the new key', (_: SigningKey, next: SigningKey) => trustIn(next)],
  [
    'both, in their windows',
    (old: SigningKey, next: SigningKey) =>
      trustIn({ key: old, until_size: '9' }, { key: next, from_size: '9' }),
  ],
])('a rotation is followed by who knows %s', (_title, trust) => {
  const [old, next] = [newKey(), newKey()];
  const notary = sixCycles(old);
  notary.rotate(next);
  notary.cycle();
  const { findings, view } = verifyRows(notary.rows, trust(old, next));
  expect(findings).toEqual([]);
  expect(view.signers).toEqual(expect.arrayContaining([old, next].map(formatVerifierKey)));
  twin(25, 'process');
  twin(44, 'process');
});

test('a checkpoint of the old key after a rotation does not count', () => {
  verifies('P4');
  const notary = sixCycles();
  notary.rotate(newKey());
  notary.cycle();
  const newest = parseNote(notary.rows.notes.at(-1)!.text);
  const text = formatNote({ ...newest, signatures: [signText(key, newest.text, 0n)] });
  const notes = notary.rows.notes.with(-1, { size: notary.state.anchor.end, text });
  expect(verifyRows({ ...notary.rows, notes }, trustIn(key)).causes).toEqual(['KEY_WINDOW']);
  attack(25, 'process', 'KEY_WINDOW');
});

test('a rotation that the new key has not signed, or the old one, is invalid', () => {
  verifies('P4');
  const unproven = sixCycles();
  unproven.rotate(newKey(), newKey());
  expect(verifyRows(unproven.rows, trustIn(key)).findings[0]).toEqual(at('ROTATION_INVALID', 7n));

  const thief = newKey();
  const forged = sixCycles();
  forged.cycle([rotationOf(key, thief)]);
  const covering = parseNote(forged.rows.notes.at(-1)!.text);
  const text = formatNote({ ...covering, signatures: [signText(thief, covering.text, 0n)] });
  const notes = forged.rows.notes.with(-1, { size: forged.state.anchor.end, text });
  const { findings, causes } = verifyRows({ ...forged.rows, notes }, trustIn(key));
  expect(findings[0]).toEqual(at('ROTATION_INVALID', 7n));
  expect(causes).toContain('UNKNOWN_KEY');
  attack(25, 'process', 'ROTATION_INVALID');
});

test('a rotation that no checkpoint covers is invalid', () => {
  verifies('P4');
  const notary = sixCycles();
  notary.cycle([rotationOf(key, newKey())]);
  const { causes } = verifyRows(notary.rows, trustIn(key));
  expect(causes).toContain('ROTATION_INVALID');
  attack(25, 'process', 'ROTATION_INVALID');
});
