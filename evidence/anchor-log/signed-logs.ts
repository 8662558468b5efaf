import { hash } from 'node:crypto';
import type { AnchorEntryOf } from './entry.ts';
import type { FindingCause } from '../finding.ts';

/** What a checkpoint says of a data log. */
export interface SignedHead {
  /** Number of entries. */
  readonly size: bigint;
  /** Root of the tree of that size, lower-case hex. */
  readonly root: string;
  /** Leaf of entry size-1, lower-case hex. */
  readonly leaf: string;
  /** When the notary signed, milliseconds since the epoch. */
  readonly timeMs: number;
  /** Place of the statement in the anchor log. */
  readonly anchorSeq: bigint;
}

/** A data log as the anchor log knows it. */
export interface SignedLog {
  /** Some of its checkpoints, oldest first: the first, the newest, and those between thinned out evenly. */
  readonly heads: readonly SignedHead[];
  /** The newest one that an anchor covers. */
  readonly newestAnchored: SignedHead | undefined;
  /** `chainHeads` over all its checkpoints, to hold the stored notes of the log against. */
  readonly chain: string;
}

/** A digest of a log's checkpoints in order: one more is added to it. */
export const chainHeads = (chain: string, size: bigint, root: string, timeMs: bigint): string =>
  hash('sha256', `${chain}\n${size}\n${root}\n${timeMs}\n`, 'hex');

interface Growing extends SignedLog {
  heads: SignedHead[];
  newestAnchored: SignedHead | undefined;
  chain: string;
  /** Every so many checkpoints one is kept. */
  stride: number;
  count: number;
}

/** Checkpoints remembered for each log, to say where a rewritten log begins to differ. */
const HEADS_MAX = 16;

/** Follows what the anchor log says of each data log; memory grows with the number of logs. */
export function createSignedLogs(
  report: (cause: FindingCause, log: string, seq: bigint, detail: string) => void,
  anchoredSize: bigint,
): {
  add(seq: bigint, entry: AnchorEntryOf<'checkpoint'>): void;
  readonly logs: ReadonlyMap<string, SignedLog>;
} {
  const logs = new Map<string, Growing>();
  return {
    logs,
    add(seq, { log, size: decimal, root, leaf, time_ms }) {
      const size = BigInt(decimal);
      const head: SignedHead = { size, root, leaf, timeMs: time_ms, anchorSeq: seq };
      const known = logs.get(log);
      if (size === 0n) {
        report('ANCHOR_ENTRY', log, seq, 'a checkpoint of no entries');
        return;
      }
      if (known === undefined) {
        const newestAnchored = seq < anchoredSize ? head : undefined;
        const chain = chainHeads('', size, root, BigInt(time_ms));
        logs.set(log, { heads: [head], newestAnchored, chain, stride: 1, count: 1 });
        return;
      }
      const newest = known.heads.at(-1);
      if (newest !== undefined && size === newest.size) {
        if (root !== newest.root || leaf !== newest.leaf)
          report('SPLIT_VIEW', log, size - 1n, `two different trees of size ${size} were signed`);
        return;
      }
      if (newest !== undefined && size < newest.size) {
        report('ROLLBACK', log, size - 1n, `size ${size} was signed after size ${newest.size}`);
        return;
      }
      // The newest always stays; the one before it goes unless its turn has come.
      if (known.heads.length > 1 && (known.count - 1) % known.stride !== 0) known.heads.pop();
      known.heads.push(head);
      known.count += 1;
      known.chain = chainHeads(known.chain, size, root, BigInt(time_ms));
      if (seq < anchoredSize) known.newestAnchored = head;
      if (known.heads.length <= HEADS_MAX) return;
      known.stride *= 2;
      const last = known.heads.length - 1;
      known.heads = known.heads.filter((_, index) => index % 2 === 0 || index === last);
    },
  };
}
