import { anchorLeaf, anchorOrigin, parseAnchorEntry } from '../evidence/anchor-log/entry.ts';
import { rootFromInclusion } from '../evidence/merkle/proofs.ts';
import { sameHash } from '../evidence/merkle/tree-hash.ts';
import { TransientError } from '../runtime/errors.ts';
import {
  firstCheckpointCovering,
  newestCheckpoint,
  type StoredCheckpoint,
} from '../sinks/store/checkpoints.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { anchorLogTree } from '../sinks/store/log-tree.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { CaseFinding } from './case-data.ts';
import type { LogWindow } from './scope.ts';

/** An entry of the anchor log with the proof that it is in the tree of the chosen checkpoint. */
export interface AnchoredEntry {
  readonly seq: bigint;
  /** Exact JSON text. */
  readonly entry: string;
  /** Of the anchor log at the chosen checkpoint. */
  readonly size: bigint;
  readonly hashes: readonly Uint8Array[];
}

/** What vouches for one log. */
export interface LogCoverage {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly timeMs: number;
  /** The data log's own signed checkpoint; `undefined` when the store has lost it. */
  readonly note: string | undefined;
  readonly anchor: AnchoredEntry;
}

/** The checkpoint of the anchor log that the bundle rests on, and under it a checkpoint of every log. */
export interface Coverage {
  readonly checkpoint: StoredCheckpoint;
  readonly logs: ReadonlyMap<string, LogCoverage>;
  readonly findings: readonly CaseFinding[];
}

/** No signed checkpoint covers these entries yet. */
export interface Uncovered {
  readonly log: string;
  readonly seq: bigint;
}

export interface CoverageWait {
  readonly timeoutMs: number;
  readonly pollMs: number;
  /** Resolves after so many milliseconds; rejects when the command is ended. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Called once, when there is something to wait for. */
  readonly onWait: (uncovered: Uncovered) => void;
}

/**
 * The newest of the checkpoints that most anchors confirmed, among those that cover all windows. Waits for the notary.
 * @throws TransientError `unavailable` when none came in time.
 */
export async function awaitCoverage(
  raw: RawQuery,
  deployment: string,
  windows: readonly LogWindow[],
  wait: CoverageWait,
): Promise<Coverage> {
  let waitedMs = 0;
  for (;;) {
    const found = await findCoverage(raw, anchorOrigin(deployment), windows);
    if ('checkpoint' in found) return found;
    if (waitedMs === 0) wait.onWait(found);
    if (waitedMs >= wait.timeoutMs)
      throw new TransientError(
        'unavailable',
        `cannot bundle the case: no signed checkpoint covers entry ${found.seq} of log ${found.log}; start the pipeline with its notary (notary.enabled), or wait longer with --wait`,
      );
    await wait.sleep(wait.pollMs);
    waitedMs += wait.pollMs;
  }
}

async function findCoverage(
  raw: RawQuery,
  origin: string,
  windows: readonly LogWindow[],
): Promise<Coverage | Uncovered> {
  const newest = await newestCheckpoint(raw, origin);
  let needed = 1n;
  for (const { log, toSeq } of windows) {
    const place = await placeOf(raw, origin, { log, toSeq, below: newest?.size ?? 0n, order: 'ASC' });
    if (place === undefined) return { log, seq: toSeq };
    if (place.seq >= needed) needed = place.seq + 1n;
  }
  if (newest === undefined) return { log: origin, seq: 0n };
  const checkpoint = (await mostAnchored(raw, origin, needed, newest.size)) ?? newest;
  const tree = anchorLogTree(raw, origin);
  const findings: CaseFinding[] = [];
  const logs = new Map<string, LogCoverage>();
  for (const { log, toSeq } of windows) {
    const place = await placeOf(raw, origin, { log, toSeq, below: checkpoint.size, order: 'DESC' });
    const entry = place && parseAnchorEntry(place.body);
    if (place === undefined || entry?.type !== 'checkpoint' || entry.log !== log) {
      findings.push(contradiction('ANCHOR_ENTRY', origin, place?.seq, `not a checkpoint of ${log}`));
      continue;
    }
    const hashes = await tree.inclusionProof(place.seq, checkpoint.size);
    const root = rootFromInclusion(anchorLeaf(place.body), place.seq, checkpoint.size, hashes);
    if (root === undefined || !sameHash(root, checkpoint.root))
      findings.push(
        contradiction('ROOT_MISMATCH', origin, place.seq, 'the entry is not under the signed root'),
      );
    const size = BigInt(entry.size);
    const own = await firstCheckpointCovering(raw, log, size);
    const note = own?.size === size && Buffer.from(own.root).toString('hex') === entry.root ? own : undefined;
    if (note === undefined)
      findings.push(
        contradiction('CHECKPOINT_MISSING', log, size - 1n, 'no signed checkpoint says the same'),
      );
    logs.set(log, {
      size,
      root: Buffer.from(entry.root, 'hex'),
      timeMs: entry.time_ms,
      note: note?.note,
      anchor: {
        ...{ seq: place.seq, entry: Buffer.from(place.body).toString('utf8') },
        ...{ size: checkpoint.size, hashes },
      },
    });
  }
  return { checkpoint, logs, findings };
}

function contradiction(cause: string, log: string, seq: bigint | undefined, detail: string): CaseFinding {
  return { cause, log, seq: seq === undefined ? null : String(seq), detail };
}

/** First or last entry of the anchor log, below a size, that states a checkpoint of the log beyond a seq. */
async function placeOf(
  raw: RawQuery,
  origin: string,
  { log, toSeq, below, order }: { log: string; toSeq: bigint; below: bigint; order: 'ASC' | 'DESC' },
): Promise<{ readonly seq: bigint; readonly body: Uint8Array } | undefined> {
  const rows = readRows(
    raw,
    `SELECT seq, body FROM custody.anchor_entries WHERE origin = ${sqlString(origin)} AND type = 'checkpoint' AND log = ${sqlString(log)} AND size > ${toSeq} AND seq < ${below} ORDER BY seq ${order} LIMIT 1`,
    (read) => ({ seq: read.uint64(), body: Uint8Array.from(read.bytes()) }),
  );
  for await (const row of rows) return row;
  return undefined;
}

/** Of the anchored checkpoints in `[from, to]` that with the most evidence one can carry away; the newest of these. */
async function mostAnchored(
  raw: RawQuery,
  origin: string,
  from: bigint,
  to: bigint,
): Promise<StoredCheckpoint | undefined> {
  const sizes = readRows(
    raw,
    `SELECT size, uniqExactIf(anchor, type != 'place') AS carried, uniqExact(anchor) AS kept FROM custody.anchor_evidence WHERE origin = ${sqlString(origin)} AND size >= ${from} AND size <= ${to} GROUP BY size ORDER BY carried DESC, kept DESC, size DESC LIMIT 1`,
    (read) => ({ size: read.uint64(), carried: read.uint64(), kept: read.uint64() }),
  );
  for await (const { size } of sizes) {
    const checkpoint = await firstCheckpointCovering(raw, origin, size);
    return checkpoint?.size === size ? checkpoint : undefined;
  }
  return undefined;
}
