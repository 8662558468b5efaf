import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { anchorOrigin, type AnchorAct } from '../evidence/anchor-log/entry.ts';
import { type Hold, holdOf } from '../evidence/anchor-log/holds.ts';
import { growRange } from '../evidence/merkle/compact-range.ts';
import type { TreeHead } from '../evidence/merkle/proofs.ts';
import type { Notary } from '../notary/notary.ts';
import { awaitAct, pendingRequests, requestAct } from '../notary/requests.ts';
import { parseState } from '../notary/state.ts';
import { sleep } from '../runtime/backoff.ts';
import { PermanentError, TransientError } from '../runtime/errors.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { RetentionNotary, SignedHeads } from './run.ts';

const POLL_MS = 250;
/** An anchor that has a rate of its own may take longer; the next run goes on then. */
const ANCHOR_WAIT_MS = 120_000;
const ANSWER_WAIT_MS = 60_000;

/** Never asked of the store, whose administrators might put an older anchor log there. */
async function signedHead(stateDir: string): Promise<TreeHead | undefined> {
  const path = join(stateDir, 'state.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    if (errno === 'ENOENT') return undefined;
    throw new PermanentError('rejected', `cannot read ${path}: ${errno}`, { cause });
  }
  const { anchor } = parseState(text, path);
  return anchor.end === 0n ? undefined : { size: anchor.end, root: growRange(anchor).root() };
}

/** Holds that somebody asked for and that the notary has not entered yet: they count from the moment they are asked for. */
async function requestedHolds(stateDir: string): Promise<Hold[]> {
  const holds: Hold[] = [];
  // Beyond every place an anchor log has.
  for (const { act } of await pendingRequests(stateDir))
    if (act?.type === 'hold') holds.push(holdOf(act, 1n << 63n));
  return holds;
}

async function waitUntil(
  anchoredSize: () => Promise<bigint>,
  size: bigint,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + ANCHOR_WAIT_MS;
  while ((await anchoredSize()) < size) {
    if (performance.now() >= deadline || signal?.aborted === true) return false;
    await sleep(POLL_MS, signal);
  }
  return true;
}

/** The notary of this process; the signal ends waiting for anchors. */
export function ownNotary(
  notary: Pick<Notary, 'enter' | 'anchoredSize'>,
  stateDir: string,
  signal?: AbortSignal,
): RetentionNotary {
  const anchoredSize = () => Promise.resolve(notary.anchoredSize());
  return {
    signed: () => signedHead(stateDir),
    requestedHolds: () => requestedHolds(stateDir),
    anchoredSize,
    async enter(acts) {
      const waiting = new AbortController();
      const late = sleep(ANSWER_WAIT_MS, waiting.signal).then(() => 'late' as const);
      const entered = Promise.all(acts.map((act) => notary.enter(act)));
      const first = await Promise.race([entered, late]).finally(() => waiting.abort());
      if (first !== 'late') return;
      // Entered later, they are there for the next run.
      entered.catch(() => undefined);
      throw new TransientError('unavailable', 'cannot announce what goes: the notary signs nothing now');
    },
    waitAnchored: (size) => waitUntil(anchoredSize, size, signal),
  };
}

export interface OtherNotary {
  readonly stateDir: string;
  readonly raw: RawQuery;
  readonly deployment: string;
  readonly anchorsRequired: number;
}

/** What the notary of a state directory signed, read beside it. What anchors hold is taken as the store has it. */
export function signedHeadsOf({ stateDir, raw, deployment, anchorsRequired }: OtherNotary): SignedHeads {
  return {
    signed: () => signedHead(stateDir),
    requestedHolds: () => requestedHolds(stateDir),
    anchoredSize: () => storedAnchoredSize(raw, anchorOrigin(deployment), anchorsRequired),
  };
}

/** A notary that runs in another process, asked through its state directory. */
export function otherNotary(options: OtherNotary): RetentionNotary {
  const heads = signedHeadsOf(options);
  return {
    ...heads,
    enter: (acts) => enterThroughFiles(options.stateDir, acts),
    waitAnchored: (size) => waitUntil(() => heads.anchoredSize(), size),
  };
}

async function enterThroughFiles(stateDir: string, acts: readonly AnchorAct[]): Promise<void> {
  const asked: string[] = [];
  for (const act of acts) asked.push((await requestAct(stateDir, act)).id);
  for (const id of asked) {
    if ((await awaitAct(stateDir, id, ANSWER_WAIT_MS)) !== undefined) continue;
    throw new TransientError(
      'unavailable',
      `cannot announce what goes: no notary answers in ${stateDir} (it is asked, and the next run goes on)`,
    );
  }
}

async function storedAnchoredSize(raw: RawQuery, origin: string, required: number): Promise<bigint> {
  if (required === 0) return 1n << 63n;
  const sizes: bigint[] = [];
  const rows = readRows(
    raw,
    `SELECT max(size) FROM custody.anchor_evidence WHERE origin = ${sqlString(origin)} GROUP BY anchor ORDER BY max(size) DESC`,
    (read) => read.uint64(),
  );
  for await (const size of rows) sizes.push(size);
  return sizes[required - 1] ?? 0n;
}
