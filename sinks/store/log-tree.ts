import { fold, subtreesOf } from '../../evidence/merkle/compact-range.ts';
import { consistencyRanges, inclusionRanges, type LeafRange } from '../../evidence/merkle/proofs.ts';
import { nodeHash } from '../../evidence/merkle/tree-hash.ts';
import { parseAnchorEntry } from '../../evidence/anchor-log/entry.ts';
import { PermanentError } from '../../runtime/errors.ts';
import { readAnchorEntries } from './checkpoints.ts';
import { readRows } from './clickhouse-store.ts';
import { createLeafBlock, type LeafBlock } from './leaf-block.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';

/** Level of the subtrees whose roots are stored, and kept when their leaves are pruned: 65,536 leaves. */
export const BLOCK_LEVEL = 16;
const BLOCK_LEAVES = 1n << BigInt(BLOCK_LEVEL);
/** Blocks held in memory: 4 MiB each. */
const BLOCKS_MAX = 4;

/**
 * Hashes of a log's tree out of the store. Nothing is checked here: what they prove is decided by whoever holds them
 * against a signed root. Rejects with PermanentError where an entry that is needed is not in the store.
 */
export interface StoredTree {
  /** Hash of each of the largest complete subtrees of `[begin, end)`, in the order of `subtreesOf`. */
  subtreeHashes(begin: bigint, end: bigint): Promise<Uint8Array[]>;
  inclusionProof(index: bigint, size: bigint): Promise<Uint8Array[]>;
  consistencyProof(oldSize: bigint, newSize: bigint): Promise<Uint8Array[]>;
}

/** The tree of a data log, pruned or not; `origin` is that of the anchor log, which says what was pruned. */
export function dataLogTree(raw: RawQuery, log: string, origin?: string): StoredTree {
  const anchor = origin ?? `${log.slice(0, log.indexOf('/'))}/anchor`;
  const where = `log = ${sqlString(log)}`;
  return createTree(raw, log, {
    leaves: (begin, end) =>
      `SELECT seq, leaf FROM custody.entries WHERE ${where} AND seq >= ${begin} AND seq < ${end} ORDER BY seq`,
    known: () => prunedSubtrees(raw, anchor, log),
  });
}

export function anchorLogTree(raw: RawQuery, origin: string): StoredTree {
  const where = `origin = ${sqlString(origin)}`;
  return createTree(raw, origin, {
    leaves: (begin, end) =>
      `SELECT seq, leaf FROM custody.anchor_entries WHERE ${where} AND seq >= ${begin} AND seq < ${end} ORDER BY seq`,
    known: () => Promise.resolve(new Map()),
  });
}

/** Names a complete subtree in a map. */
const nameOf = (level: number, index: bigint) => `${level}/${index}`;

interface TreeSource {
  /** Statement for (seq, leaf) of the leaves `[begin, end)`. */
  readonly leaves: (begin: bigint, end: bigint) => string;
  /** Subtrees whose leaves are gone. */
  readonly known: () => Promise<Map<string, Uint8Array>>;
}

function createTree(raw: RawQuery, log: string, source: TreeSource): StoredTree {
  let known: Promise<Map<string, Uint8Array>> | undefined;
  const blocks = new Map<bigint, Promise<LeafBlock>>();

  async function knownSubtrees(): Promise<Map<string, Uint8Array>> {
    return (known ??= (async () =>
      new Map([...(await storedSubtrees(raw, log)), ...(await source.known())]))());
  }
  async function readBlock(block: bigint): Promise<LeafBlock> {
    const begin = block * BLOCK_LEAVES;
    const found = createLeafBlock(BLOCK_LEVEL);
    const rows = readRows(raw, source.leaves(begin, begin + BLOCK_LEAVES), (read) => ({
      seq: read.uint64(),
      leaf: read.hex(32),
    }));
    for await (const { seq, leaf } of rows) found.add(Number(seq - begin), leaf);
    found.finish();
    return found;
  }
  function blockOf(block: bigint): Promise<LeafBlock> {
    const held = blocks.get(block) ?? readBlock(block);
    // The one used last goes last.
    blocks.delete(block);
    blocks.set(block, held);
    for (const oldest of blocks.keys()) {
      if (blocks.size <= BLOCKS_MAX) break;
      blocks.delete(oldest);
    }
    return held;
  }

  async function hashOf(level: number, index: bigint): Promise<Uint8Array> {
    const stored = (await knownSubtrees()).get(nameOf(level, index));
    if (stored !== undefined) return stored;
    if (level <= BLOCK_LEVEL) {
      const perBlock = 1n << BigInt(BLOCK_LEVEL - level);
      const node = (await blockOf(index / perBlock)).node(level, Number(index % perBlock));
      if (node !== undefined) return node;
    }
    if (level === 0)
      throw new PermanentError(
        'rejected',
        `cannot prove anything of ${log}: entry ${index} is not in the store`,
      );
    return nodeHash(await hashOf(level - 1, index * 2n), await hashOf(level - 1, index * 2n + 1n));
  }

  async function subtreeHashes(begin: bigint, end: bigint): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const { level, index } of subtreesOf(begin, end)) hashes.push(await hashOf(level, index));
    return hashes;
  }
  async function rangeHashes(ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const { begin, end } of ranges) hashes.push(fold(await subtreeHashes(begin, end)));
    return hashes;
  }
  return {
    subtreeHashes,
    inclusionProof: (index, size) => rangeHashes(inclusionRanges(index, size)),
    consistencyProof: (oldSize, newSize) =>
      oldSize === newSize ? Promise.resolve([]) : rangeHashes(consistencyRanges(oldSize, newSize)),
  };
}

async function storedSubtrees(raw: RawQuery, log: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const rows = readRows(
    raw,
    `SELECT level, place, hash FROM custody.subtrees WHERE log = ${sqlString(log)}`,
    (read) => ({ level: read.uint8(), index: read.uint64(), hash: read.hex(32) }),
  );
  for await (const { level, index, hash } of rows) found.set(nameOf(level, index), Buffer.from(hash, 'hex'));
  return found;
}

/** The subtrees that the newest announced cut of the log left. */
async function prunedSubtrees(raw: RawQuery, origin: string, log: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for await (const { body } of readAnchorEntries(raw, origin, { types: ['pruned'] })) {
    const entry = parseAnchorEntry(body);
    if (entry?.type !== 'pruned' || entry.log !== log) continue;
    found.clear();
    for (const [place, { level, index }] of subtreesOf(0n, BigInt(entry.first_seq)).entries()) {
      const hash = entry.range[place];
      if (hash !== undefined) found.set(nameOf(level, index), Buffer.from(hash, 'hex'));
    }
  }
  return found;
}
