import { sameHash } from '../evidence/merkle/tree-hash.ts';
import { CustodyError, IntegrityError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { newestCheckpoint } from '../sinks/store/checkpoints.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { Anchor, AnchorHead } from './anchor.ts';
import type { StateDirectory } from './state-directory.ts';

/**
 * Holds the state against what others were told, before anything is signed: a state that was put back from a copy would
 * sign a second history.
 * @throws IntegrityError when the store or an anchor has a larger checkpoint, or another of the same size.
 */
export async function refuseOtherHistory(
  raw: RawQuery,
  directory: StateDirectory,
  anchors: readonly Anchor[],
  logger: Logger,
): Promise<void> {
  const { origin } = directory.state;
  await refuseOtherHead(directory, await newestCheckpoint(raw, origin), 'the store');
  for (const anchor of anchors) {
    let head: AnchorHead | undefined;
    try {
      head = await anchor.latest?.(origin);
    } catch (error) {
      if (!(error instanceof CustodyError) || error instanceof IntegrityError) throw error;
      // It may be down for long; what it holds is looked at again when it takes the next checkpoint.
      logger.warn({ anchor: anchor.id, err: error }, 'cannot ask an anchor what it holds');
    }
    await refuseOtherHead(directory, head, `anchor ${anchor.id}`);
  }
}

async function refuseOtherHead(
  { state, nodes }: StateDirectory,
  head: Pick<AnchorHead, 'size' | 'root'> | undefined,
  holder: string,
): Promise<void> {
  if (head === undefined || head.size === 0n) return;
  const { origin, anchor } = state;
  if (head.size > anchor.end)
    throw new IntegrityError(
      `cannot sign for ${origin}: ROLLBACK: ${holder} has a checkpoint of ${head.size} entries, this notary's state ends at ${anchor.end} (was it put back from a copy? docs/operations/notary.md)`,
    );
  if (head.root === undefined || sameHash(await nodes.rootOf(head.size), head.root)) return;
  throw new IntegrityError(
    `cannot sign for ${origin}: SPLIT_VIEW: ${holder} has another checkpoint of ${head.size} entries`,
  );
}
