import { ZERO_LINK } from '../entry.ts';
import { parseLogId } from '../log-id.ts';
import { growRange } from '../merkle/compact-range.ts';
import { rootFromInclusion } from '../merkle/proofs.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import type { Bag } from './bag.ts';
import { type EntryLine, readEntryLine } from './entry-line.ts';
import { type BundleLog, type BundleProofOf, entriesFile } from './format.ts';
import type { BundleFindings } from './verdict.ts';

/** What was seen of a log's entries. */
export interface SeenEntries {
  readonly count: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Leaf of the last entry, where that is `to_seq`. */
  readonly lastLeaf: Uint8Array | undefined;
}

/**
 * A whole window: entries follow one another by seq and by link, none is missing at either end, and with the hashes of
 * what is before and after they give the root of the tree.
 */
export async function checkRange(
  bag: Bag,
  window: BundleLog,
  proof: BundleProofOf<'range'>,
  findings: BundleFindings,
): Promise<SeenEntries> {
  const place = { file: entriesFile(window.index), log: window.log };
  const [from, to] = [BigInt(window.from_seq), BigInt(window.to_seq)];
  const leaves = growRange({ begin: from, end: from, hashes: [] });
  const seen = createSeen();
  let next = from;
  let previous: Uint8Array | undefined;
  let isWhole = true;
  for await (const entry of readEntries(bag, window, findings)) {
    seen.take(entry);
    if (entry.seq !== next) {
      isWhole = false;
      const gap =
        entry.seq > next
          ? `entries ${next} to ${entry.seq - 1n} are missing before it`
          : `entry ${next} belongs here`;
      findings.add('GAP', { ...place, seq: entry.seq }, gap);
    } else if (
      entry.prev !== (next === 0n ? ZERO_LINK : previous === undefined ? entry.prev : hexOf(previous))
    ) {
      isWhole = false;
      findings.add('LINK', { ...place, seq: entry.seq }, 'it does not follow from the entry before it');
    }
    if (isWhole) leaves.append(entry.leaf);
    previous = entry.leaf;
    next = entry.seq + 1n;
  }
  if (next !== to + 1n) {
    isWhole = false;
    findings.add('COMPLETENESS', { ...place, seq: next }, `the entries end before ${next}, not after ${to}`);
  }
  if (seen.count !== window.entries)
    findings.add('COMPLETENESS', place, `it has ${seen.count} entries, not ${window.entries}`);
  if (isWhole && !isRootOf(proof, from, to, leaves.hashes))
    findings.add(
      'ROOT_MISMATCH',
      { ...place, seq: from },
      'the entries are not those under the root of the checkpoint',
    );
  return { ...seen.facts(), lastLeaf: isWhole ? previous : undefined };
}

/** Single entries: each is in the tree. Nothing is said about others. */
export async function checkSelection(
  bag: Bag,
  window: BundleLog,
  proof: BundleProofOf<'selection'>,
  findings: BundleFindings,
): Promise<SeenEntries> {
  const place = { file: entriesFile(window.index), log: window.log };
  const size = BigInt(proof.size);
  const root = Buffer.from(proof.root, 'hex');
  const seen = createSeen();
  let last = -1n;
  let lastLeaf: Uint8Array | undefined;
  for await (const entry of readEntries(bag, window, findings)) {
    const item = proof.items[seen.count];
    seen.take(entry);
    const at = { ...place, seq: entry.seq };
    if (entry.seq <= last) findings.add('GAP', at, 'the entries are not in order');
    if (item === undefined || item.seq !== String(entry.seq)) {
      findings.add('INCLUSION', at, 'the proof for this place is that of another entry');
    } else {
      const found = rootFromInclusion(
        entry.leaf,
        entry.seq,
        size,
        item.hashes.map((hash) => Buffer.from(hash, 'hex')),
      );
      if (found === undefined || !sameHash(found, root))
        findings.add('INCLUSION', at, 'it is not in the tree of the checkpoint');
    }
    if (entry.seq < BigInt(window.from_seq) || entry.seq > BigInt(window.to_seq))
      findings.add('COMPLETENESS', at, 'it is outside of the window that logs.json names');
    last = entry.seq;
    lastLeaf = entry.leaf;
  }
  if (seen.count !== window.entries || seen.count !== proof.items.length)
    findings.add('COMPLETENESS', place, `it has ${seen.count} entries, not ${window.entries}`);
  return { ...seen.facts(), lastLeaf: last === BigInt(window.to_seq) ? lastLeaf : undefined };
}

/** Entries whose own hashes are right, or reported, and that are of this log; a line that is none ends nothing. */
async function* readEntries(
  bag: Bag,
  { log, index }: BundleLog,
  findings: BundleFindings,
): AsyncGenerator<EntryLine> {
  const place = { file: entriesFile(index), log };
  const partition = parseLogId(log)?.partition;
  let number = 0;
  for await (const line of bag.lines(place.file)) {
    number += 1;
    const entry = readEntryLine(line);
    if ('reason' in entry) {
      findings.add('LEAF_HASH', place, `line ${number}: ${entry.reason}`);
      continue;
    }
    const at = { ...place, seq: entry.seq };
    if (!entry.isBodyIntact) findings.add('BODY_HASH', at, 'the body is not what was written');
    if (entry.log !== log || entry.partition !== partition)
      findings.add('LOG_ID', at, 'it is an entry of another log');
    yield entry;
  }
}

function isRootOf(
  proof: BundleProofOf<'range'>,
  from: bigint,
  to: bigint,
  hashes: readonly Uint8Array[],
): boolean {
  const bytes = (hex: readonly string[]) => hex.map((hash) => Buffer.from(hash, 'hex'));
  try {
    const whole = growRange({ begin: 0n, end: from, hashes: bytes(proof.before) });
    whole.join({ begin: from, end: to + 1n, hashes });
    whole.join({ begin: to + 1n, end: BigInt(proof.size), hashes: bytes(proof.after) });
    return sameHash(whole.root(), Buffer.from(proof.root, 'hex'));
  } catch (error) {
    // Another number of hashes than the bounds need.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function createSeen() {
  let count = 0;
  let firstMs: number | undefined;
  let lastMs: number | undefined;
  return {
    take({ appendTimeMs }: EntryLine) {
      count += 1;
      firstMs ??= appendTimeMs;
      lastMs = appendTimeMs;
    },
    get count() {
      return count;
    },
    facts: () => ({ count, firstMs, lastMs }),
  };
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
