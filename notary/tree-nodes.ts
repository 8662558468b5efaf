import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { fold, subtreesOf } from '../evidence/merkle/compact-range.ts';
import { consistencyRanges } from '../evidence/merkle/proofs.ts';
import { HASH_BYTES, nodeHash } from '../evidence/merkle/tree-hash.ts';
import { DamageError, TransientError } from '../runtime/errors.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';

/**
 * Every node of the anchor log's tree, one file for each level, a hash after the other: 64 bytes for each entry. A
 * witness asks for the proof from the size it saw last, and the store's copy may be gone by then.
 */
export interface TreeNodes {
  /** Leaves that are on disk for certain. */
  readonly size: bigint;
  /**
   * Adds leaves after the first `from`, in place of any others there, and resolves when they are on disk. What a crash
   * leaves half done is cut off at the next opening.
   */
  append(from: bigint, leaves: readonly Uint8Array[]): Promise<void>;
  /** Root of the first `size` leaves, at least one. */
  rootOf(size: bigint): Promise<Uint8Array>;
  /** Throws a RangeError for sizes that are no part of each other. */
  consistencyProof(oldSize: bigint, newSize: bigint): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

const LEVELS = 40;

/**
 * Opens the nodes of a tree of `size` leaves; what lies beyond was never signed.
 * @throws DamageError when there are fewer.
 */
export async function openTreeNodes(directory: string, size: bigint): Promise<TreeNodes> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files: (FileHandle | undefined)[] = [];
  let count = size;
  async function fileOf(level: number): Promise<FileHandle> {
    return (files[level] ??= await open(join(directory, String(level).padStart(2, '0')), 'a+', 0o600));
  }
  const close = async () => {
    for (const file of files.splice(0)) await file?.close();
  };
  try {
    for (let level = 0; size >> BigInt(level) > 0n; level++) {
      const wanted = Number(size >> BigInt(level)) * HASH_BYTES;
      const file = await fileOf(level);
      if ((await file.stat()).size < wanted)
        throw new DamageError(
          `cannot use ${directory}: it has not all of the ${size} entries that were signed`,
        );
      await file.truncate(wanted);
    }
    for (let level = bitLength(size); level < LEVELS; level++) {
      const file = await open(join(directory, String(level).padStart(2, '0')), 'r+').catch(() => undefined);
      await file?.truncate(0);
      await file?.close();
    }
  } catch (error) {
    await close();
    throw error;
  }

  async function node(level: number, index: bigint): Promise<Uint8Array> {
    const bytes = Buffer.alloc(HASH_BYTES);
    const { bytesRead } = await (await fileOf(level)).read(bytes, 0, HASH_BYTES, Number(index) * HASH_BYTES);
    if (bytesRead !== HASH_BYTES) throw new DamageError(`cannot use ${directory}: a node is missing`);
    return bytes;
  }
  async function hashOf(begin: bigint, end: bigint): Promise<Uint8Array> {
    const hashes: Uint8Array[] = [];
    for (const { level, index } of subtreesOf(begin, end)) hashes.push(await node(level, index));
    return fold(hashes);
  }
  return {
    rootOf: (size) => hashOf(0n, size),
    get size() {
      return count;
    },
    async append(from, leaves) {
      count = from;
      try {
        for (const [level, file] of files.entries())
          await file?.truncate(Number(count >> BigInt(level)) * HASH_BYTES);
        const added: Uint8Array[][] = [];
        let size = count;
        for (const leaf of leaves) {
          let hash = leaf;
          let index = size;
          for (let level = 0; ; level++) {
            const fresh = (added[level] ??= []);
            const left = index % 2n === 1n ? (fresh.at(-1) ?? (await node(level, index - 1n))) : undefined;
            fresh.push(hash);
            if (left === undefined) break;
            hash = nodeHash(left, hash);
            index /= 2n;
          }
          size += 1n;
        }
        for (const [level, hashes] of added.entries()) {
          const file = await fileOf(level);
          await file.appendFile(Buffer.concat(hashes));
          await file.datasync();
        }
        await syncDirectory(directory);
        count = size;
      } catch (cause) {
        if (cause instanceof DamageError) throw cause;
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
        const code = errno === 'ENOSPC' ? 'disk_full' : 'unavailable';
        throw new TransientError(code, `cannot write ${directory}: ${errno}`, { cause });
      }
    },
    async consistencyProof(oldSize, newSize) {
      if (newSize > count) throw new RangeError(`the tree has ${count} leaves, not ${newSize}`);
      if (oldSize === newSize || oldSize === 0n) return [];
      const proof: Uint8Array[] = [];
      for (const { begin, end } of consistencyRanges(oldSize, newSize)) proof.push(await hashOf(begin, end));
      return proof;
    },
    close,
  };
}

const bitLength = (size: bigint): number => (size === 0n ? 0 : size.toString(2).length);
