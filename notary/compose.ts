import {
  type AnchorAct,
  type AnchorEntry,
  ANCHOR_SCHEMA,
  anchorLeaf,
  formatAnchorEntry,
} from '../evidence/anchor-log/entry.ts';
import { fold, growRange } from '../evidence/merkle/compact-range.ts';
import { checkpointText } from '../evidence/note/checkpoint.ts';
import { formatVerifierKey, type SigningKey, signingKey, signText } from '../evidence/note/key.ts';
import { formatNote } from '../evidence/note/note.ts';
import type { StoredCheckpoint } from '../sinks/store/checkpoints.ts';
import { BLOCK_LEVEL } from '../sinks/store/log-tree.ts';
import type { Publication, StoredSubtree } from '../sinks/store/store.ts';
import type { Advance } from './read-back.ts';
import type { NotaryState } from './state.ts';

export interface CycleInput {
  readonly deployment: string;
  readonly timeMs: number;
  readonly advances: readonly Advance[];
  readonly acts: readonly AnchorAct[];
  /** The key in force; and in the cycle that enters its rotation the one that takes over. */
  readonly key: SigningKey;
  readonly nextKey: SigningKey | undefined;
  readonly signedUpToMs: ReadonlyMap<string, number>;
}

export interface Cycle {
  readonly next: NotaryState;
  /** Leaves the cycle adds to the anchor log. */
  readonly leaves: readonly Uint8Array[];
  /** Position of each act, in order. */
  readonly actSeqs: readonly bigint[];
}

const BLOCK_LEAVES = 1n << BigInt(BLOCK_LEVEL);

/**
 * One step of the anchor log: acts, then the head of every log that grew, then a signed checkpoint over all of it. Pure:
 * nothing of it counts before the state is committed.
 */
export function composeCycle(state: NotaryState, input: CycleInput): Cycle {
  const { timeMs, acts, advances, key, nextKey } = input;
  const signers = nextKey === undefined ? [key] : [key, nextKey];
  const base = { schema: ANCHOR_SCHEMA, time_ms: timeMs } as const;
  const genesis: AnchorEntry[] =
    state.anchor.end > 0n
      ? []
      : [{ ...base, type: 'genesis', deployment: input.deployment, verifier_key: formatVerifierKey(key) }];
  const entries: AnchorEntry[] = [
    ...genesis,
    ...acts.map((act) => ({ ...act, ...base })),
    ...advances.map(({ log, signed }): AnchorEntry => {
      const root = Buffer.from(growRange(signed.range).root()).toString('hex');
      return { ...base, type: 'checkpoint', log, size: String(signed.range.end), root, leaf: signed.leaf };
    }),
  ];

  const anchor = growRange(state.anchor);
  const subtrees: StoredSubtree[] = advances.flatMap((advance) => advance.subtrees);
  const leaves: Uint8Array[] = [];
  const placed: { seq: bigint; body: Uint8Array }[] = [];
  for (const entry of entries) {
    const body = formatAnchorEntry(entry);
    const leaf = anchorLeaf(body);
    const seq = anchor.end;
    if (seq % BLOCK_LEAVES === BLOCK_LEAVES - 1n) {
      const hash = fold([...anchor.hashes.slice(-BLOCK_LEVEL), leaf]);
      subtrees.push({ log: state.origin, level: BLOCK_LEVEL, index: seq / BLOCK_LEAVES, hash });
    }
    placed.push({ seq, body });
    leaves.push(leaf);
    anchor.append(leaf);
  }

  const sign = (origin: string, size: bigint, root: Uint8Array): StoredCheckpoint => {
    const text = checkpointText({ origin, size, root });
    const signatures = signers.map(({ privateKey }) =>
      signText(signingKey(origin, 'log', privateKey), text, 0n),
    );
    return { origin, size, root, timeMs, note: formatNote({ text, signatures }) };
  };
  const head = sign(state.origin, anchor.end, anchor.root());
  const publication: Publication = {
    origin: state.origin,
    entries: placed,
    checkpoints: [
      ...advances.map(({ log, signed: { range } }) => sign(log, range.end, growRange(range).root())),
      head,
    ],
    subtrees,
  };
  const logs = new Map(state.logs);
  for (const { log, signed } of advances)
    logs.set(log, { ...signed, prunedBelow: state.logs.get(log)?.prunedBelow });
  for (const act of acts) {
    const signed = act.type === 'pruned' ? logs.get(act.log) : undefined;
    if (act.type === 'pruned' && signed !== undefined)
      logs.set(act.log, { ...signed, prunedBelow: BigInt(act.first_seq) });
  }
  return {
    leaves,
    actSeqs: acts.map((_, place) => state.anchor.end + BigInt(genesis.length + place)),
    next: {
      origin: state.origin,
      verifierKey: formatVerifierKey(nextKey ?? key),
      timeMs,
      anchor: { begin: 0n, end: anchor.end, hashes: anchor.hashes },
      note: head.note,
      logs,
      signedUpToMs: input.signedUpToMs,
      publication,
    },
  };
}
