import type { Finding } from '../evidence/finding.ts';
import { parseLogId } from '../evidence/log-id.ts';
import type { Publication, RawQuery, Store } from '../sinks/store/store.ts';
import { acceptActs, type ActQueue, type WaitingAct } from './acts.ts';
import { composeCycle } from './compose.ts';
import { findUnsigned, type Unsigned } from './discover.ts';
import { keyInForce, type NotaryKeys } from './keys.ts';
import { readBack, type ReadBack } from './read-back.ts';
import type { NotaryState } from './state.ts';
import type { StateDirectory } from './state-directory.ts';

export interface StepContext {
  readonly deployment: string;
  readonly raw: RawQuery;
  /** Puts what the state holds into the store, unless this process saw it there. */
  readonly publish: (publication: Publication | undefined) => Promise<void>;
  readonly directory: StateDirectory;
  readonly keys: NotaryKeys;
  readonly acts: ActQueue;
  readonly nowMs: () => number;
  /** Logs that are not signed any more: what was signed of them is not in the store. */
  readonly refused: ReadonlySet<string>;
  /** Logs that had a finding when they were last read back; they come after the others, kept from step to step. */
  readonly stuck: Set<string>;
  /** Entries read back in one step; the rest comes in the next. */
  readonly entriesMax: bigint;
  /** Whether enough waits for a checkpoint, or for long enough. */
  readonly isDue: (unsignedCount: bigint, actCount: number) => boolean;
}

export type StepResult =
  /** Nothing to sign, or not yet. */
  | { readonly state: 'idle'; readonly unsignedCount: bigint; readonly isWhole: boolean }
  /** The clock is behind the last cycle. */
  | { readonly state: 'clock_behind'; readonly byMs: number }
  | {
      readonly state: 'signed';
      readonly entryCount: number;
      readonly findings: readonly Finding[];
      /** Everything that was found is signed. */
      readonly isWhole: boolean;
    };

/**
 * One step: publish what a crash may have left, find what is new, read it back, sign, remember, publish. The order is the
 * promise: nothing is published that the state does not hold, so nothing can be signed twice in two ways.
 */
export async function runStep(context: StepContext, whole: boolean): Promise<StepResult> {
  const { raw, directory, acts: queue } = context;
  await context.publish(directory.state.publication);
  const found = await findUnsigned(raw, context.deployment, directory.state, whole);
  const unsigned = found.filter(({ log }) => !context.refused.has(log));
  const { length: actCount } = await queue.waiting();
  const unsignedCount = unsigned.reduce((sum, { from, to }) => sum + (to - from + 1n), 0n);
  if (!context.isDue(unsignedCount, actCount))
    return { state: 'idle', unsignedCount, isWhole: unsigned.length === 0 };
  const timeMs = context.nowMs();
  if (timeMs <= directory.state.timeMs)
    return { state: 'clock_behind', byMs: directory.state.timeMs - timeMs + 1 };

  const isStuck = ({ log }: Unsigned) => Number(context.stuck.has(log));
  const inOrder = unsigned.toSorted((a, b) => isStuck(a) - isStuck(b));
  const portion = firstPortion(inOrder, context.entriesMax);
  const back = await readBack(raw, directory.state, portion);
  for (const { log } of portion) context.stuck.delete(log);
  for (const { log } of back.findings) context.stuck.add(log);
  const key = await keyInForce(context.keys, directory.state.verifierKey);
  const accepted = await acceptActs(queue, {
    origin: directory.state.origin,
    key,
    next: context.keys.next,
  });
  if (back.advances.length === 0 && accepted.acts.length === 0)
    return { state: 'signed', entryCount: 0, findings: back.findings, isWhole: false };
  const isWhole =
    back.findings.length === 0 && portion.length === unsigned.length && isComplete(portion, back);
  const cycle = composeCycle(directory.state, {
    deployment: context.deployment,
    timeMs,
    advances: back.advances,
    acts: accepted.acts.map(({ act }) => act),
    key,
    nextKey: accepted.nextKey,
    signedUpToMs: isWhole ? signedUpTo(directory.state, back) : directory.state.signedUpToMs,
  });
  await directory.commit(cycle.next, cycle.leaves);
  await context.publish(directory.state.publication);
  await answer(accepted.acts, cycle.actSeqs, context);
  const entryCount = back.entryCount;
  return { state: 'signed', entryCount, findings: back.findings, isWhole };
}

/** Publishing again what is there already changes nothing, but costs a look. */
export function createPublisher(store: Pick<Store, 'publish'>): StepContext['publish'] {
  let seen: Publication | undefined;
  return async (publication) => {
    if (publication === undefined || publication === seen) return;
    await store.publish(publication);
    seen = publication;
  };
}

async function answer(
  acts: readonly WaitingAct[],
  seqs: readonly bigint[],
  { directory, acts: queue }: StepContext,
): Promise<void> {
  for (const [place, act] of acts.entries()) {
    queue.done(act);
    await act.entered({ seq: seqs[place] ?? 0n, size: directory.state.anchor.end });
  }
}

function firstPortion(unsigned: readonly Unsigned[], entriesMax: bigint): Unsigned[] {
  const portion: Unsigned[] = [];
  let left = entriesMax;
  for (const { log, from, to } of unsigned) {
    if (left <= 0n) break;
    const last = to - from >= left ? from + left - 1n : to;
    portion.push({ log, from, to: last });
    left -= last - from + 1n;
    if (last < to) left = 0n;
  }
  return portion;
}

function isComplete(portion: readonly Unsigned[], { advances }: ReadBack): boolean {
  const ends = new Map(advances.map(({ log, signed }) => [log, signed.range.end]));
  return portion.every(({ log, to }) => ends.get(log) === to + 1n);
}

function signedUpTo(state: NotaryState, { advances }: ReadBack): ReadonlyMap<string, number> {
  const upTo = new Map(state.signedUpToMs);
  for (const { log, signed } of advances) {
    const partition = parseLogId(log)?.partition;
    if (partition === undefined) continue;
    const place = `${signed.topic}/${partition}`;
    upTo.set(place, Math.max(upTo.get(place) ?? 0, signed.appendTimeMs));
  }
  return upTo;
}
