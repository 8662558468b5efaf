import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anchorLeaf } from '../../../evidence/anchor-log/entry.ts';
import { growRange } from '../../../evidence/merkle/compact-range.ts';
import { isConsistent, rootFromInclusion } from '../../../evidence/merkle/proofs.ts';
import { IntegrityError, PermanentError } from '../../../runtime/errors.ts';
import { type ChdbStore, openChdbStore } from '../../../sinks/store/chdb-store.ts';
import { readAnchorEntries } from '../../../sinks/store/checkpoints.ts';
import { anchorLogTree } from '../../../sinks/store/log-tree.ts';

const BLOCK = 65_536;
const SIZE = BLOCK + 100;
const bodyOf = (seq: number) => Buffer.from(`{"n":${seq}}`);
const nothing = { entries: [], checkpoints: [], subtrees: [] };

let directory: string;
let store: ChdbStore;
const roots = new Map<number, Uint8Array>();
let blockRoot: Uint8Array;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'custody-tree-'));
  store = await openChdbStore({ path: join(directory, 'store') });
  const range = growRange();
  for (let seq = 0; seq < SIZE; seq++) {
    range.append(anchorLeaf(bodyOf(seq)));
    if ([1, 77, 1000, BLOCK - 1, BLOCK, BLOCK + 1, SIZE].includes(seq + 1)) roots.set(seq + 1, range.root());
  }
  blockRoot = roots.get(BLOCK) ?? new Uint8Array();
  const entries = Array.from({ length: SIZE }, (_, seq) => ({ seq: BigInt(seq), body: bodyOf(seq) }));
  await store.publish({ ...nothing, origin: 'd/anchor', entries });
  // Another log, whose first block is gone but for its root.
  const subtrees = [{ log: 'pruned/anchor', level: 16, index: 0n, hash: blockRoot }];
  await store.publish({ ...nothing, origin: 'pruned/anchor', entries: entries.slice(BLOCK), subtrees });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function expectIncluded(origin: string, index: number, size: number): Promise<void> {
  const proof = await anchorLogTree(store.raw, origin).inclusionProof(BigInt(index), BigInt(size));
  const root = rootFromInclusion(anchorLeaf(bodyOf(index)), BigInt(index), BigInt(size), proof);
  expect(root).toEqual(roots.get(size));
}

test.each([
  [0, 1],
  [5, 77],
  [999, 1000],
  [0, SIZE],
  [BLOCK - 1, BLOCK],
  [BLOCK, BLOCK + 1],
  [SIZE - 1, SIZE],
])('entry %i is proven in a tree of %i', (index, size) => expectIncluded('d/anchor', index, size));

test('any earlier size leads to any later one', async () => {
  const tree = anchorLogTree(store.raw, 'd/anchor');
  const heads = [...roots].map(([size, root]) => ({ size: BigInt(size), root }));
  for (const old of heads) {
    for (const later of heads.filter(({ size }) => size >= old.size))
      expect(isConsistent(old, later, await tree.consistencyProof(old.size, later.size))).toBe(true);
  }
});

describe('a log whose first 65,536 entries are gone', () => {
  test('proves what is left by the root that was kept', () =>
    expectIncluded('pruned/anchor', BLOCK + 7, SIZE));

  test('says so where an entry itself is asked for', async () => {
    const asked = anchorLogTree(store.raw, 'pruned/anchor').inclusionProof(4n, BigInt(SIZE));
    await expect(asked).rejects.toBeInstanceOf(PermanentError);
    await expect(asked).rejects.toThrow(/not in the store/);
  });
});

describe('publishing', () => {
  const entry = { seq: 5n, body: bodyOf(5) };

  test('adds nothing twice', async () => {
    await store.publish({ ...nothing, origin: 'd/anchor', entries: [entry] });
    let count = 0;
    for await (const { seq } of readAnchorEntries(store.raw, 'd/anchor', { from: 5n }))
      count += seq === 5n ? 1 : 0;
    expect(count).toBe(1);
  });

  test('refuses another entry at a place, and another root at a size', async () => {
    const other = { seq: 5n, body: bodyOf(6) };
    const asked = store.publish({ ...nothing, origin: 'd/anchor', entries: [other] });
    await expect(asked).rejects.toBeInstanceOf(IntegrityError);
    await expect(asked).rejects.toThrow(/SPLIT_VIEW/);
    const checkpoint = { origin: 'd/anchor', size: 1n, root: blockRoot, timeMs: 1, note: 'note' };
    await store.publish({ ...nothing, origin: 'd/anchor', checkpoints: [checkpoint] });
    const split = { ...checkpoint, root: Buffer.alloc(32) };
    await expect(store.publish({ ...nothing, origin: 'd/anchor', checkpoints: [split] })).rejects.toThrow(
      /SPLIT_VIEW/,
    );
  });
});
