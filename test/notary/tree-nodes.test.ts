import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isConsistent } from '../../evidence/merkle/proofs.ts';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { openTreeNodes } from '../../notary/tree-nodes.ts';
import { DamageError } from '../../runtime/errors.ts';

const leafOf = (index: number) => Buffer.alloc(32, `leaf ${index}`);
const leaves = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => leafOf(from + at));
function rootOf(size: number): Uint8Array {
  const range = growRange();
  for (const leaf of leaves(0, size)) range.append(leaf);
  return range.root();
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'custody-nodes-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('however the leaves came, roots and consistency proofs are those of the tree', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 }),
      async (steps) => {
        rmSync(directory, { recursive: true, force: true });
        let nodes = await openTreeNodes(directory, 0n);
        let size = 0;
        for (const step of steps) {
          await nodes.append(BigInt(size), leaves(size, size + step));
          size += step;
          await nodes.close();
          nodes = await openTreeNodes(directory, BigInt(size));
        }
        const head = { size: BigInt(size), root: rootOf(size) };
        for (let old = 1; old <= size; old++) {
          const before = { size: BigInt(old), root: rootOf(old) };
          expect(Buffer.from(await nodes.rootOf(BigInt(old)))).toEqual(before.root);
          const proof = await nodes.consistencyProof(BigInt(old), BigInt(size));
          expect(isConsistent(before, head, proof)).toBe(true);
        }
        await nodes.close();
      },
    ),
    { numRuns: 15 },
  );
});

test('leaves beyond the signed size were never signed: they are dropped, at the opening and at the next append', async () => {
  let nodes = await openTreeNodes(directory, 0n);
  await nodes.append(0n, leaves(0, 5));
  await nodes.append(5n, [Buffer.alloc(32, 'wrong'), Buffer.alloc(32, 'wrong')]);
  await nodes.append(5n, leaves(5, 8));
  expect(Buffer.from(await nodes.rootOf(8n))).toEqual(rootOf(8));
  await nodes.close();
  nodes = await openTreeNodes(directory, 3n);
  await nodes.append(3n, leaves(3, 4));
  expect(Buffer.from(await nodes.rootOf(4n))).toEqual(rootOf(4));
  await nodes.close();
  expect(statSync(join(directory, '00')).size).toBe(4 * 32);
});

test('fewer nodes than were signed is damage, and a torn end of a file is not', async () => {
  const nodes = await openTreeNodes(directory, 0n);
  await nodes.append(0n, leaves(0, 6));
  await nodes.close();
  const level = join(directory, '01');
  writeFileSync(level, Buffer.concat([readFileSync(level), Buffer.from('torn')]));
  await (await openTreeNodes(directory, 6n)).close();
  truncateSync(level, 40);
  await expect(openTreeNodes(directory, 6n)).rejects.toBeInstanceOf(DamageError);
});
