import type { AnchorAct } from '../evidence/anchor-log/entry.ts';
import type { PrunedStart } from '../evidence/anchor-log/pruned.ts';
import { growRange } from '../evidence/merkle/compact-range.ts';
import type { TreeHead } from '../evidence/merkle/proofs.ts';
import { sameHash } from '../evidence/merkle/tree-hash.ts';
import { IntegrityError } from '../runtime/errors.ts';
import { formatDay } from '../sinks/store/day.ts';
import type { StoredTree } from '../sinks/store/log-tree.ts';
import type { StoredCut } from './stored-days.ts';

export type PrunedAct = Extract<AnchorAct, { type: 'pruned' }>;

export interface CutInput {
  readonly cut: StoredCut;
  /** What was announced of the log before. */
  readonly start: PrunedStart | undefined;
  /** Newest checkpoint of the log that was signed and that the required anchors have. */
  readonly checkpoint: TreeHead;
  readonly tree: StoredTree;
  /** Last day that goes, days since the epoch. */
  readonly day: number;
  readonly retentionDays: number;
  readonly operator: string;
}

/**
 * The announcement of a log's cut: its compact range leads on from the one announced before and, joined with what stays,
 * gives the signed root. `undefined` when it is announced already.
 * @throws IntegrityError when what the store has does not lead to the signed root; then nothing of it may go.
 */
export async function announceCut(input: CutInput): Promise<PrunedAct | undefined> {
  const { cut, start, checkpoint, tree } = input;
  const firstSeq = cut.last + 1n;
  const announced = start?.firstSeq ?? 0n;
  const refuse = (cause: string, reason: string): never => {
    throw new IntegrityError(`cannot prune log ${cut.log}: ${cause}: ${reason}; nothing was removed`);
  };
  if (cut.first > announced) refuse('HEAD_MISSING', `it starts at seq ${cut.first}, not before ${announced}`);
  if (checkpoint.size < firstSeq)
    refuse('NOT_ANCHORED', `${checkpoint.size} entries are signed, ${firstSeq} would go`);
  if (cut.next === undefined && checkpoint.size > firstSeq)
    refuse('TRUNCATED', `${checkpoint.size} entries were signed, the store ends at seq ${cut.last}`);
  if (firstSeq <= announced) return undefined;

  const before = growRange(start?.range);
  before.join({ begin: announced, end: firstSeq, hashes: await tree.subtreeHashes(announced, firstSeq) });
  const range = before.hashes;
  const after = await tree.subtreeHashes(firstSeq, checkpoint.size);
  before.join({ begin: firstSeq, end: checkpoint.size, hashes: after });
  if (!sameHash(before.root(), checkpoint.root))
    refuse('ROOT_MISMATCH', `its ${checkpoint.size} entries are not those that were signed`);
  return {
    type: 'pruned',
    log: cut.log,
    first_seq: String(firstSeq),
    leaf: cut.leaf,
    range: range.map((hash) => Buffer.from(hash).toString('hex')),
    day: formatDay(input.day),
    retention_days: input.retentionDays,
    operator: input.operator,
    reason: `retention of ${input.retentionDays} days`,
  };
}
