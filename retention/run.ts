import { anchorOrigin, parseAnchorEntry, type AnchorAct } from '../evidence/anchor-log/entry.ts';
import { createHoldBook, type Hold } from '../evidence/anchor-log/holds.ts';
import type { TreeHead } from '../evidence/merkle/proofs.ts';
import type { Clock } from '../runtime/clock.ts';
import { IntegrityError, TransientError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { readAnchorEntries } from '../sinks/store/checkpoints.ts';
import { formatDay } from '../sinks/store/day.ts';
import type { DayDropper } from '../sinks/store/drop-day.ts';
import { dataLogTree } from '../sinks/store/log-tree.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import { readAnchorState, type AnchorState } from './anchor-state.ts';
import { announceCut, type PrunedAct } from './cut.ts';
import { planRetention, retentionToday, type RetentionPlan } from './plan.ts';
import { lastOfDays, storedCuts, storedDays } from './stored-days.ts';

/** What retention wants to know of a notary. */
export interface SignedHeads {
  /** The anchor log as the notary signed it last; `undefined` before the first checkpoint. Never asked of the store. */
  signed(): Promise<TreeHead | undefined>;
  /** Entries of the anchor log that as many anchors hold as are required. */
  anchoredSize(): Promise<bigint>;
  /** Holds that were asked for and are not in the anchor log yet. */
  requestedHolds(): Promise<readonly Hold[]>;
}

/** What retention wants of a notary. */
export interface RetentionNotary extends SignedHeads {
  /** Resolves when the acts are in the anchor log, under a signed checkpoint, and in the store. */
  enter(acts: readonly AnchorAct[]): Promise<void>;
  /** Waits for a while; whether the required anchors hold the anchor log up to `size` by then. */
  waitAnchored(size: bigint): Promise<boolean>;
}

export interface PlanParts {
  readonly raw: RawQuery;
  readonly notary: SignedHeads;
  readonly deployment: string;
  readonly retentionDays: number;
  readonly clock: Clock;
}

export interface RunParts extends PlanParts {
  readonly notary: RetentionNotary;
  readonly dropper: DayDropper;
  /** Who lets it happen, for the anchor log. */
  readonly operator: string;
  readonly logger: Logger;
  /** Aborts when the process ends: no further day goes then. */
  readonly signal?: AbortSignal | undefined;
}

export interface RetentionReport {
  readonly plan: RetentionPlan;
  /** Logs whose cut was announced by this run. */
  readonly announced: number;
  /** Days whose partition was dropped by this run, oldest first. */
  readonly dropped: readonly number[];
  /** Why not all that was planned is gone; the next run goes on. */
  readonly stopped: string | undefined;
}

const DAY_MS = 86_400_000;

/** The plan with what it was made from; changes nothing. */
export interface PreparedRun {
  readonly plan: RetentionPlan;
  readonly state: AnchorState;
  /** Announcements that are still to be made, one for each log that loses entries. */
  readonly acts: readonly PrunedAct[];
}

/**
 * Decides what may go now, and checks that the signed checkpoints stay provable without it.
 * @throws IntegrityError when the store or its anchor log is not what was signed; then nothing may go.
 */
export async function prepareRetention(parts: PlanParts, operator = 'retention'): Promise<PreparedRun> {
  const { raw, notary, retentionDays } = parts;
  const state = await readState(parts);
  const days = await storedDays(raw);
  const clockDay = Math.floor(parts.clock.nowMs() / DAY_MS);
  const holds = [...state.holds, ...(await notary.requestedHolds())];
  const unproven = await provenBy(raw, state, (retentionToday(days, clockDay) ?? 0) - retentionDays - 1);
  const plan = planRetention({ days, clockDay, retentionDays, holds, unproven });
  const day = plan.goes.at(-1)?.day;
  if (day === undefined) return { plan, state, acts: [] };
  await refuseReturned(raw, plan, state);
  const acts: PrunedAct[] = [];
  for (const cut of await storedCuts(raw, day)) {
    const checkpoint = state.anchored.get(cut.log);
    if (checkpoint === undefined)
      throw new IntegrityError(`cannot prune log ${cut.log}: NOT_ANCHORED: no checkpoint of it is anchored`);
    const start = state.history.starts.get(cut.log);
    const tree = dataLogTree(raw, cut.log, anchorOrigin(parts.deployment));
    const act = await announceCut({ cut, start, checkpoint, tree, day, retentionDays, operator });
    if (act !== undefined) acts.push(act);
  }
  return { plan, state, acts };
}

/**
 * Removes the days that are too old: announces the cut of every log in the anchor log, waits until that is signed and
 * anchored, drops the days one after the other, oldest first, and says so in the anchor log. A crash anywhere is repaired
 * by the next run, which finds what was announced and what is still there.
 * @throws IntegrityError as `prepareRetention`; TransientError when store or notary do not answer.
 */
export async function runRetention(parts: RunParts): Promise<RetentionReport> {
  const { notary, dropper, logger, operator } = parts;
  const { plan, state, acts } = await prepareRetention(parts, operator);
  const report = (dropped: readonly number[], stopped?: string): RetentionReport => ({
    plan,
    announced: acts.length,
    dropped,
    stopped,
  });
  if (acts.length > 0) await notary.enter(acts);
  const announced = acts.length > 0 ? await announcedState(parts, acts) : state;
  const announcedSize = [...announced.history.starts.values()].reduce(
    (size, { anchorSeq }) => (anchorSeq >= size ? anchorSeq + 1n : size),
    0n,
  );
  if (plan.goes.length > 0 && !(await notary.waitAnchored(announcedSize)))
    return report([], 'the announcement is signed, but the required anchors do not have it yet');

  const dropped: number[] = [];
  for (const { day, entryCount } of plan.goes) {
    if (parts.signal?.aborted === true) return report(dropped, 'the process ends');
    const hold = await newHold(parts, announced, day);
    if (hold !== undefined) {
      await reportDone(parts, announced.history);
      return report(dropped, `legal hold ${hold.id} was set on ${formatDay(day)} meanwhile`);
    }
    await dropper.dropDay(day);
    dropped.push(day);
    logger.info({ day: formatDay(day), entryCount: String(entryCount) }, 'day removed by retention');
  }
  await reportDone(parts, announced.history);
  return report(dropped);
}

/** Says in the anchor log what is gone, also what an earlier run removed and did not come to say. */
async function reportDone(
  { raw, notary, operator, retentionDays }: RunParts,
  { starts, doneDay }: AnchorState['history'],
): Promise<void> {
  const announced = [...starts.values()].reduce((last, { day }) => (day > last ? day : last), '');
  const oldest = (await storedDays(raw))[0];
  const before = oldest === undefined ? announced : formatDay(oldest.day - 1);
  const day = before < announced ? before : announced;
  if (day <= (doneDay ?? '')) return;
  const reason = `retention of ${retentionDays} days`;
  await notary.enter([{ type: 'prune_done', day, operator, reason }]);
}

async function readState({ raw, notary, deployment }: PlanParts): Promise<AnchorState> {
  const signed = await notary.signed();
  const anchoredSize = await notary.anchoredSize();
  return readAnchorState(raw, anchorOrigin(deployment), {
    signed: signed ?? { size: 0n, root: new Uint8Array() },
    anchoredSize,
  });
}

/** The anchor log after the announcements; they must be in what was signed. */
async function announcedState(parts: RunParts, acts: readonly PrunedAct[]): Promise<AnchorState> {
  const state = await readState(parts);
  for (const { log, first_seq, day } of acts) {
    if (state.history.starts.get(log)?.firstSeq === BigInt(first_seq)) continue;
    const refused = state.history.refused.findLast((each) => each.log === log);
    throw new TransientError(
      'unavailable',
      `cannot prune log ${log} up to ${day}: the announcement does not count (${refused?.detail ?? 'it is not signed'}); nothing was removed`,
    );
  }
  return state;
}

/** What of a day is not under an anchored checkpoint. */
async function provenBy(
  raw: RawQuery,
  { anchored }: AnchorState,
  upTo: number,
): Promise<(day: number) => string | undefined> {
  const missing = new Map<number, string>();
  for (const { day, log, seq } of upTo < 0 ? [] : await lastOfDays(raw, upTo)) {
    const size = anchored.get(log)?.size ?? 0n;
    if (seq < size || missing.has(day)) continue;
    missing.set(day, `entry ${seq} of log ${log} is not under an anchored checkpoint, which ends at ${size}`);
  }
  return (day) => missing.get(day);
}

/** Entries that came into a day after it was removed are new ones: a clock was set back. */
async function refuseReturned(raw: RawQuery, plan: RetentionPlan, { history }: AnchorState): Promise<void> {
  const returned = plan.goes.filter(({ day }) => formatDay(day) <= (history.doneDay ?? '')).at(-1);
  if (returned === undefined) return;
  for (const { log, last } of await storedCuts(raw, returned.day)) {
    if (last < (history.starts.get(log)?.firstSeq ?? 0n)) continue;
    throw new IntegrityError(
      `cannot prune log ${log}: DAY: it has new entries on ${formatDay(returned.day)}, which was removed before; nothing was removed`,
    );
  }
}

/** A hold over the day that came after the plan was made. */
async function newHold(
  { raw, deployment, notary }: RunParts,
  state: AnchorState,
  day: number,
): Promise<Hold | undefined> {
  const text = formatDay(day);
  const later = createHoldBook();
  for await (const { seq, body } of readAnchorEntries(raw, anchorOrigin(deployment), { from: state.size })) {
    const entry = parseAnchorEntry(body);
    if (entry?.type === 'hold') later.add({ seq, entry });
  }
  const holds = [...state.holds, ...later.inForce, ...(await notary.requestedHolds())];
  return holds.find((hold) => hold.overlaps(formatDay(day - 1), text));
}
