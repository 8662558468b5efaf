import type { Hold } from '../evidence/anchor-log/holds.ts';
import { formatDay } from '../sinks/store/day.ts';

/** A day partition of the store; days are counted since the epoch. */
export interface StoredDay {
  readonly day: number;
  readonly entryCount: bigint;
}

/** Why a day stays. */
export type StayCode =
  /** Not older than the retention. */
  | 'young'
  /** A legal hold covers it. */
  | 'held'
  /** An entry of it is not under a signed checkpoint that the required anchors have. */
  | 'not_anchored'
  /** An older day stays, and what goes is always the beginning of every log. */
  | 'behind';

export interface StayingDay extends StoredDay {
  readonly code: StayCode;
  readonly reason: string;
}

export interface RetentionPlan {
  /** What age is counted from: the clock's day, or the newest stored day if that is earlier. */
  readonly today: number | undefined;
  /** Oldest first. */
  readonly goes: readonly StoredDay[];
  readonly stays: readonly StayingDay[];
}

export interface PlanInput {
  readonly days: readonly StoredDay[];
  readonly clockDay: number;
  readonly retentionDays: number;
  readonly holds: readonly Hold[];
  /** What of the day is not yet under a signed and anchored checkpoint; `undefined` = everything is. */
  readonly unproven: (day: number) => string | undefined;
}

/** The day that ages are counted from. A clock that is ahead of every stored entry makes nothing older. */
export function retentionToday(days: readonly StoredDay[], clockDay: number): number | undefined {
  if (days.length === 0) return undefined;
  const newest = days.reduce((latest, { day }) => Math.max(latest, day), 0);
  return Math.min(newest, clockDay);
}

/** Decides what goes: the oldest days without a gap, up to the first that must stay. */
export function planRetention(input: PlanInput): RetentionPlan {
  const today = retentionToday(input.days, input.clockDay);
  const goes: StoredDay[] = [];
  const stays: StayingDay[] = [];
  let kept: number | undefined;
  for (const stored of [...input.days].sort((a, b) => a.day - b.day)) {
    const stay = today === undefined ? undefined : stayOf(stored.day, today, kept, input);
    if (stay === undefined) {
      goes.push(stored);
      continue;
    }
    kept ??= stored.day;
    stays.push({ ...stored, ...stay });
  }
  return { today, goes, stays };
}

function stayOf(
  day: number,
  today: number,
  kept: number | undefined,
  { retentionDays, holds, unproven }: PlanInput,
): { code: StayCode; reason: string } | undefined {
  const age = today - day;
  if (age <= retentionDays)
    return { code: 'young', reason: `${Math.max(0, age)} days old, kept for ${retentionDays}` };
  const text = formatDay(day);
  const held = holds.find((hold) => hold.overlaps(formatDay(day - 1), text));
  if (held !== undefined)
    return { code: 'held', reason: `legal hold ${held.id}${tenantOf(held)}: ${held.reason}` };
  if (kept !== undefined) return { code: 'behind', reason: `${formatDay(kept)} before it stays` };
  const missing = unproven(day);
  return missing === undefined ? undefined : { code: 'not_anchored', reason: missing };
}

const tenantOf = ({ tenant }: Hold): string => (tenant === undefined ? '' : ` of tenant ${tenant}`);
