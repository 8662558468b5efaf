import type { RetentionPlan, StayCode, StayingDay } from '../retention/plan.ts';
import type { RetentionReport } from '../retention/run.ts';
import type { RetentionConfig } from '../schemas/config.ts';
import { formatDay } from '../sinks/store/day.ts';

type Kept = Pick<RetentionConfig, 'days'>;

const dayJson = ({ day, entryCount }: { readonly day: number; readonly entryCount: bigint }) => ({
  day: formatDay(day),
  entries: String(entryCount),
});

/** A plan for machines. */
export function planJson(plan: RetentionPlan, { days }: Kept) {
  return {
    retention_days: days,
    today: plan.today === undefined ? null : formatDay(plan.today),
    goes: plan.goes.map(dayJson),
    stays: plan.stays.map((stay) => ({ ...dayJson(stay), code: stay.code, reason: stay.reason })),
  };
}

/** A run for machines. */
export function runJson(report: RetentionReport, kept: Kept) {
  return {
    ...planJson(report.plan, kept),
    announced: report.announced,
    dropped: report.dropped.map(formatDay),
    stopped: report.stopped ?? null,
  };
}

/** A plan for people: days that stay for one reason are one line. */
export function describePlan({ today, goes, stays }: RetentionPlan, { days }: Kept): string {
  const head =
    today === undefined
      ? 'the store is empty\n'
      : `every entry is kept for ${days} full days; counted from ${formatDay(today)}\n`;
  const going = goes.map(({ day, entryCount }) => `goes   ${formatDay(day)}  ${entryCount} entries\n`);
  const staying = groups(stays).map(({ first, last, code, reason }) => {
    const span = first === last ? formatDay(first) : `${formatDay(first)} to ${formatDay(last)}`;
    return `stays  ${span}  ${MEANINGS[code]}${code === 'held' || code === 'not_anchored' ? `: ${reason}` : ''}\n`;
  });
  return [head, ...going, ...(goes.length === 0 ? ['nothing goes\n'] : []), ...staying].join('');
}

/** A run for people. */
export function describeRun(report: RetentionReport, kept: Kept): string {
  const { dropped, announced, stopped } = report;
  const done = `announced the cut of ${announced} logs, removed ${dropped.length} days${
    dropped.length === 0 ? '' : `: ${dropped.map(formatDay).join(', ')}`
  }\n`;
  return `${describePlan(report.plan, kept)}${done}${stopped === undefined ? '' : `not all of it: ${stopped}\n`}`;
}

const MEANINGS: Readonly<Record<StayCode, string>> = {
  young: 'young enough',
  held: 'held',
  not_anchored: 'not anchored',
  behind: 'an older day stays, and only the beginning of a log may go',
};

function groups(
  stays: readonly StayingDay[],
): { first: number; last: number; code: StayCode; reason: string }[] {
  const found: { first: number; last: number; code: StayCode; reason: string }[] = [];
  for (const { day, code, reason } of stays) {
    const last = found.at(-1);
    if (
      last !== undefined &&
      last.code === code &&
      (code === 'young' || code === 'behind' || last.reason === reason)
    )
      last.last = day;
    else found.push({ first: day, last: day, code, reason });
  }
  return found;
}
