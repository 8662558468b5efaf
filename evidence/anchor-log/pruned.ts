import { subtreesOf, type CompactRange } from '../merkle/compact-range.ts';
import type { AnchorEntryOf } from './entry.ts';
import { createHoldBook, type PlacedAnchorEntry } from './holds.ts';

/** Where a log goes on after its first entries were announced to be removed. */
export interface PrunedStart {
  /** First entry that must be there. */
  readonly firstSeq: bigint;
  /** Leaf of entry firstSeq-1, lower-case hex. */
  readonly leaf: string;
  /** The compact range [0, firstSeq). */
  readonly range: CompactRange;
  /** Last day that goes, `YYYY-MM-DD`. */
  readonly day: string;
  /** Place of the announcement in the anchor log. */
  readonly anchorSeq: bigint;
}

/** Why an announcement does not count. */
export type PrunedFault =
  /** It names another number of hashes than its range has, or removes nothing. */
  | 'RANGE'
  /** It takes back an earlier one, or contradicts it. */
  | 'CONTRADICTION'
  /** A legal hold over one of its days was in force before it. */
  | 'HELD';

/** An announcement that does not count: what it says is missing has no excuse. */
export interface RefusedPrune {
  readonly anchorSeq: bigint;
  readonly log: string;
  readonly fault: PrunedFault;
  readonly detail: string;
}

/** Announcements that do not count are remembered up to here. */
const REFUSED_MAX = 1000;

export interface PruneHistory {
  /** Newest start of each log whose first entries were announced to go. */
  readonly starts: ReadonlyMap<string, PrunedStart>;
  /** Last day that was reported as removed, and so must not be there. */
  readonly doneDay: string | undefined;
  readonly refused: readonly RefusedPrune[];
}

export interface PruneBook {
  /** Entries in anchor log order; those of other types are passed over. */
  add(placed: PlacedAnchorEntry): void;
  readonly history: PruneHistory;
}

/**
 * Reads what was announced to be removed, one entry after the other. Between an announcement and its `prune_done` the
 * entries below `firstSeq` may still be there, wholly or without their oldest days.
 */
export function createPruneBook(): PruneBook {
  const starts = new Map<string, PrunedStart>();
  const refused: RefusedPrune[] = [];
  const holds = createHoldBook();
  let doneDay: string | undefined;

  function addPruned(anchorSeq: bigint, act: AnchorEntryOf<'pruned'>): void {
    const firstSeq = BigInt(act.first_seq);
    const refuse = (fault: PrunedFault, detail: string): void => {
      if (refused.length < REFUSED_MAX) refused.push({ anchorSeq, log: act.log, fault, detail });
    };
    if (firstSeq === 0n || subtreesOf(0n, firstSeq).length !== act.range.length) {
      refuse('RANGE', `${act.range.length} hashes do not stand for the first ${firstSeq} entries`);
      return;
    }
    const before = starts.get(act.log);
    if (before !== undefined && !leadsOn(before, act, firstSeq)) {
      refuse('CONTRADICTION', `entries before ${before.firstSeq} were announced to be gone already`);
      return;
    }
    const held = holds.inForce.find((hold) => hold.overlaps(before?.day ?? doneDay, act.day));
    if (held !== undefined) {
      refuse('HELD', `legal hold ${held.id} was in force over days up to ${act.day}`);
      return;
    }
    const hashes = act.range.map((hex) => Buffer.from(hex, 'hex'));
    const range = { begin: 0n, end: firstSeq, hashes };
    starts.set(act.log, { firstSeq, leaf: act.leaf, range, day: act.day, anchorSeq });
  }

  return {
    add({ seq, entry }) {
      holds.add({ seq, entry });
      if (entry.type === 'pruned') addPruned(seq, entry);
      if (entry.type === 'prune_done' && (doneDay === undefined || entry.day > doneDay)) doneDay = entry.day;
    },
    get history() {
      return { starts, doneDay, refused };
    },
  };
}

/** What a whole anchor log says was removed. */
export function pruneHistory(entries: Iterable<PlacedAnchorEntry>): PruneHistory {
  const book = createPruneBook();
  for (const placed of entries) book.add(placed);
  return book.history;
}

/** An announcement may be repeated word for word, and a later one never takes entries back. */
function leadsOn(before: PrunedStart, act: AnchorEntryOf<'pruned'>, firstSeq: bigint): boolean {
  if (firstSeq === before.firstSeq) return act.leaf === before.leaf && act.day >= before.day;
  return firstSeq > before.firstSeq && act.day >= before.day;
}
