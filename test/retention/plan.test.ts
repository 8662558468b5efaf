import { describe, expect, it } from 'vitest';
import { holdOf } from '../../evidence/anchor-log/holds.ts';
import { planRetention, type PlanInput } from '../../retention/plan.ts';
import { formatDay } from '../../sinks/store/day.ts';

const stored = (...days: number[]) => days.map((day) => ({ day, entryCount: 10n }));
function plan(change: Partial<PlanInput> = {}) {
  const input = { days: stored(0, 1, 2, 3, 100), clockDay: 100, retentionDays: 90, holds: [] };
  const { goes, stays } = planRetention({ ...input, unproven: () => undefined, ...change });
  return { goes: goes.map(({ day }) => day), stays: stays.map(({ day, code }) => [day, code]) };
}
const hold = (from?: number, to?: number, tenant?: string) =>
  holdOf(
    {
      type: 'hold',
      hold_id: 'h',
      operator: 'o',
      reason: 'r',
      ...(from === undefined ? {} : { from_day: formatDay(from) }),
      ...(to === undefined ? {} : { to_day: formatDay(to) }),
      ...(tenant === undefined ? {} : { tenant }),
    },
    0n,
  );

describe('the retention plan', () => {
  it('lets days go that are older than the retention, and no younger one', () => {
    expect(plan({ days: stored(8, 9, 10, 11, 100) })).toEqual({
      goes: [8, 9],
      stays: [
        [10, 'young'],
        [11, 'young'],
        [100, 'young'],
      ],
    });
  });

  it('counts age from the newest stored day when the clock is ahead, and from the clock when that is earlier', () => {
    expect(plan({ days: stored(0, 1, 50), clockDay: 10_000 }).goes).toEqual([]);
    expect(plan({ days: stored(0, 1, 100), clockDay: 50 }).goes).toEqual([]);
    expect(plan({ days: stored(0, 5), clockDay: 10_000 })).toEqual({
      goes: [],
      stays: [
        [0, 'young'],
        [5, 'young'],
      ],
    });
  });

  it('never lets the newest day go, and has nothing to do with an empty store', () => {
    expect(plan({ days: stored(5), clockDay: 100_000, retentionDays: 0 }).goes).toEqual([]);
    expect(plan({ days: [] })).toEqual({ goes: [], stays: [] });
  });

  it('keeps a day under a hold, and every later one, because only the beginning of a log may go', () => {
    expect(plan({ holds: [hold(1, 1)] })).toEqual({
      goes: [0],
      stays: [
        [1, 'held'],
        [2, 'behind'],
        [3, 'behind'],
        [100, 'young'],
      ],
    });
    expect(plan({ holds: [hold()] }).goes).toEqual([]);
    expect(plan({ holds: [hold(undefined, undefined, 'acme')] }).goes).toEqual([]);
    expect(plan({ holds: [hold(4)] }).goes).toEqual([0, 1, 2, 3]);
    expect(plan({ holds: [hold(undefined, 2)] }).goes).toEqual([]);
  });

  it('keeps what is not anchored, and everything after it', () => {
    expect(plan({ unproven: (day) => (day === 2 ? 'entry 7 is not anchored' : undefined) })).toEqual({
      goes: [0, 1],
      stays: [
        [2, 'not_anchored'],
        [3, 'behind'],
        [100, 'young'],
      ],
    });
  });
});
