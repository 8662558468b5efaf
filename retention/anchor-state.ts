import { anchorLeaf, parseAnchorEntry } from '../evidence/anchor-log/entry.ts';
import { createHoldBook, type Hold } from '../evidence/anchor-log/holds.ts';
import { createPruneBook, type PruneHistory } from '../evidence/anchor-log/pruned.ts';
import { createTreeHasher } from '../evidence/merkle/tree-hasher.ts';
import type { TreeHead } from '../evidence/merkle/proofs.ts';
import { sameHash } from '../evidence/merkle/tree-hash.ts';
import { IntegrityError } from '../runtime/errors.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';

/** What the anchor log says that retention depends on. */
export interface AnchorState {
  /** Entries that were held against the signed root. */
  readonly size: bigint;
  readonly history: PruneHistory;
  /** In force at the end, those of entries that are not yet signed included. */
  readonly holds: readonly Hold[];
  /** Newest checkpoint of each data log that the anchors have. */
  readonly anchored: ReadonlyMap<string, TreeHead>;
}

/**
 * Reads the whole anchor log and holds it against the checkpoint that the notary signed last, so that nobody hides a hold
 * or a checkpoint by changing the store. Of the entries after that checkpoint only holds count.
 * @throws IntegrityError when the store has another anchor log than the one that was signed, or less of it.
 */
export async function readAnchorState(
  raw: RawQuery,
  origin: string,
  { signed, anchoredSize }: { readonly signed: TreeHead; readonly anchoredSize: bigint },
): Promise<AnchorState> {
  const refuse = (cause: string, reason: string): never => {
    throw new IntegrityError(`cannot use anchor log ${origin}: ${cause}: ${reason}`);
  };
  const tree = createTreeHasher();
  const prunes = createPruneBook();
  const holds = createHoldBook();
  const checkpoints = new Map<string, Buffer>();
  let isSigned = signed.size === 0n;
  let next = 0n;
  for await (const { seq, body } of readEntries(raw, origin)) {
    // A retried insert gives a row twice.
    if (seq < next) continue;
    if (seq > next) refuse('GAP', `entry ${next} is missing`);
    next += 1n;
    if (isSigned) {
      const entry = parseAnchorEntry(body);
      if (entry?.type === 'hold') holds.add({ seq, entry });
      continue;
    }
    tree.append(anchorLeaf(body));
    const checkpointOf = logOfCheckpoint(body);
    if (checkpointOf !== undefined) {
      if (seq < anchoredSize) checkpoints.set(checkpointOf, Buffer.from(body));
    } else {
      const entry = parseAnchorEntry(body);
      if (entry !== undefined) {
        prunes.add({ seq, entry });
        holds.add({ seq, entry });
      }
    }
    isSigned = next === signed.size;
    if (isSigned && !sameHash(tree.root(), signed.root))
      refuse('ROOT_MISMATCH', `its first ${signed.size} entries are not those that were signed`);
  }
  if (!isSigned) refuse('TRUNCATED', `${signed.size} entries were signed, the store has ${next}`);
  return { size: signed.size, history: prunes.history, holds: holds.inForce, anchored: headsOf(checkpoints) };
}

const CHECKPOINT = Buffer.from('{"leaf":"');
const LOG_AT = CHECKPOINT.length + 64 + '","log":"'.length;

/**
 * The log of a checkpoint entry, of which there are millions: its canonical form begins with the leaf and the log, as that of
 * no other entry does. Only the last one of each log is parsed.
 */
function logOfCheckpoint(body: Buffer): string | undefined {
  if (body.compare(CHECKPOINT, 0, CHECKPOINT.length, 0, CHECKPOINT.length) !== 0) return undefined;
  return body.toString('latin1', LOG_AT, body.indexOf('"', LOG_AT));
}

function headsOf(checkpoints: ReadonlyMap<string, Buffer>): Map<string, TreeHead> {
  const heads = new Map<string, TreeHead>();
  for (const body of checkpoints.values()) {
    const entry = parseAnchorEntry(body);
    if (entry?.type === 'checkpoint')
      heads.set(entry.log, { size: BigInt(entry.size), root: Buffer.from(entry.root, 'hex') });
  }
  return heads;
}

/** An endpoint bounds what one answer may hold; an entry has some hundred bytes. */
const PAGE_ENTRIES = 100_000n;

async function* readEntries(
  raw: RawQuery,
  origin: string,
): AsyncGenerator<{ readonly seq: bigint; readonly body: Buffer }> {
  for (let from = 0n; ; from += PAGE_ENTRIES) {
    const where = `origin = ${sqlString(origin)} AND seq >= ${from} AND seq < ${from + PAGE_ENTRIES}`;
    const rows = readRows(
      raw,
      `SELECT seq, body FROM custody.anchor_entries WHERE ${where} ORDER BY seq`,
      (read) => ({ seq: read.uint64(), body: read.bytes() }),
    );
    let isEmpty = true;
    for await (const row of rows) {
      isEmpty = false;
      yield row;
    }
    if (isEmpty) return;
  }
}
