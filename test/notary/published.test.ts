import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openPublished } from '../../notary/published.ts';
import type { Publication } from '../../sinks/store/store.ts';

const ORIGIN = 'acme/anchor';
const HOUR_MS = 3_600_000;
let stateDir: string;
let nowMs: number;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'custody-published-'));
  nowMs = 1_800_000_000_000;
});
afterEach(() => rm(stateDir, { recursive: true }));

const open = () =>
  openPublished({ stateDir, origin: ORIGIN, keepMs: 24 * HOUR_MS, clock: { nowMs: () => nowMs } });
const files = () => readdir(join(stateDir, 'published'));

/** A cycle with these entries of the anchor log. */
const cycle = (...seqs: readonly bigint[]): Publication => ({
  origin: ORIGIN,
  entries: seqs.map((seq) => ({ seq, body: Buffer.from(`{"entry":"${seq}","name":"Zoë"}`) })),
  checkpoints: [
    {
      origin: ORIGIN,
      size: (seqs.at(-1) ?? 0n) + 1n,
      root: Buffer.alloc(32, 7),
      timeMs: nowMs,
      note: `${ORIGIN}\n${seqs.length}\n`,
    },
  ],
  subtrees: [{ log: ORIGIN, level: 16, index: 2n, hash: Buffer.alloc(32, 9) }],
});

async function read(seq: bigint): Promise<Publication[]> {
  const found: Publication[] = [];
  for await (const publication of open().from(seq)) found.push(publication);
  return found;
}

test('another process reads what was published, byte for byte and in order, from an entry on', async () => {
  const published = open();
  const cycles = [cycle(0n), cycle(1n, 2n), cycle(3n)];
  for (const one of cycles) await published.add(one);
  expect(await read(0n)).toEqual(cycles);
  expect(await read(2n)).toEqual(cycles.slice(1));
  expect(await read(4n)).toEqual([]);
});

test('a line that a crash cut off costs only itself', async () => {
  await open().add(cycle(0n));
  const [file = ''] = await files();
  await appendFile(join(stateDir, 'published', file), '\n{"entries":[{"seq":"1","bo');
  const after = cycle(1n);
  await open().add(after);
  expect((await read(0n)).map(({ entries }) => entries[0]?.seq)).toEqual([0n, 1n]);
  expect((await read(1n))[0]).toEqual(after);
});

test('what is older than it is kept for goes when a new hour begins, and nothing younger', async () => {
  const published = open();
  for (const seq of [0n, 1n, 2n]) {
    await published.add(cycle(seq));
    nowMs += 12 * HOUR_MS;
  }
  expect(await files()).toHaveLength(3);
  await published.add(cycle(3n));
  expect((await read(0n)).map(({ entries }) => entries[0]?.seq)).toEqual([1n, 2n, 3n]);
});

test('nothing was published yet: nothing is read', async () => {
  expect(await read(0n)).toEqual([]);
});
