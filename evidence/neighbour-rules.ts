import type { PrunedStart } from './anchor-log/pruned.ts';
import { type ExpectedHead, verbOf } from './expected-head.ts';
import type { TreeHasher } from './merkle/tree-hasher.ts';
import type { RawEntry } from './raw-entry.ts';
import type { ReportRow } from './row-rules.ts';

/** Where the reading of one log has come to. */
export interface Cursor {
  readonly log: string;
  readonly start: PrunedStart | undefined;
  readonly expected: readonly ExpectedHead[];
  expectedAt: number;
  seq: bigint;
  /** Leaves seen at `seq`: one, unless the log forks here. */
  leaves: string[];
  offset: bigint;
  day: number;
  topic: string;
  /** Its root is wanted: it ends with a signed checkpoint to come, and no row of it was missing. */
  tree: TreeHasher | undefined;
}

export interface NeighbourRules {
  readonly checkNeighbour: (at: Cursor, row: RawEntry) => void;
  readonly checkSameSeq: (at: Cursor, row: RawEntry) => boolean;
  readonly checkExpected: (at: Cursor, row: RawEntry) => void;
}

/** Different entries remembered at one seq of a forked log. */
const FORK_MAX_LEAVES = 16;

/** What a row must be after the rows before it in its log; `onRoot`: the tree of this size is the signed one. */
export function createNeighbourRules(
  report: ReportRow,
  onRoot: (log: string, size: bigint) => void,
): NeighbourRules {
  /** The row against the one before it in its log. */
  function checkNeighbour(at: Cursor, row: RawEntry): void {
    if (row.seq > at.seq + 1n && row.seq <= (at.start?.firstSeq ?? 0n)) {
      // Announced to be removed, and under way: what is left of it has a gap.
    } else if (row.seq > at.seq + 1n) {
      at.tree = undefined;
      report('GAP', row.log, at.seq + 1n, `entries ${at.seq + 1n} to ${row.seq - 1n} are missing`);
    } else if (!at.leaves.includes(row.prev)) {
      report('LINK', row.log, row.seq, 'the link is not the leaf of the entry before', 'prev');
    }
    // The genesis entry has the place of the record after it.
    if (row.offset < at.offset || (row.offset === at.offset && at.seq !== 0n)) {
      report('OFFSET_ORDER', row.log, row.seq, `offset ${row.offset} after ${at.offset}`, 'koffset');
    }
    if (row.day < at.day) report('DAY', row.log, row.seq, 'the day goes back', 'day');
    if (row.topic !== at.topic)
      report('LOG_ID', row.log, row.seq, 'another topic than the entry before', 'topic');
  }

  /** Another row at the same place; true for an identical copy. */
  function checkSameSeq(at: Cursor, row: RawEntry): boolean {
    if (at.leaves.includes(row.leaf)) return true;
    at.tree = undefined;
    report('FORK', row.log, row.seq, 'two different entries at one place');
    if (at.leaves.length < FORK_MAX_LEAVES) at.leaves.push(row.leaf);
    return false;
  }

  /** The row against what somebody recorded or signed of the log when it ended here. */
  function checkExpected(at: Cursor, row: RawEntry): void {
    for (;;) {
      const head = at.expected[at.expectedAt];
      if (head === undefined || head.seq > row.seq) return;
      at.expectedAt++;
      if (head.seq < row.seq) continue;
      if (head.leaf !== row.leaf) {
        const cause = head.root === undefined ? 'HEAD_MISMATCH' : 'ROOT_MISMATCH';
        report(cause, row.log, row.seq, `the entry ${verbOf(head)} here had leaf ${head.leaf}`);
        // What comes after is another log; that it differs was said.
        if (head.root !== undefined) at.tree = undefined;
      } else if (head.root !== undefined && at.tree !== undefined) checkRoot(at, row.seq, head.root);
    }
  }

  function checkRoot(at: Cursor, seq: bigint, root: string): void {
    if (at.tree === undefined) return;
    if (Buffer.from(at.tree.root()).toString('hex') === root) {
      onRoot(at.log, seq + 1n);
      return;
    }
    report(
      'ROOT_MISMATCH',
      at.log,
      seq,
      `the entries up to here are not the tree of size ${seq + 1n} that was signed`,
    );
    at.tree = undefined;
  }

  return { checkNeighbour, checkSameSeq, checkExpected };
}
