import type { StoredRange } from '../backtest/stored/stored-query.ts';
import { ConfigError } from '../runtime/errors.ts';

export interface RangeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly tenant?: string;
  readonly warmupDays?: string;
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };
const DAY_MS = 24 * 3_600_000;

/** The range a command asks for; without `--from` all history, without `--to` up to now. @throws ConfigError naming the option. */
export function rangeOf(options: RangeOptions, nowMs: number): StoredRange {
  const toMs = options.to === undefined ? nowMs + 1 : timeOf(options.to, '--to', nowMs);
  const fromMs = options.from === undefined ? 0 : timeOf(options.from, '--from', nowMs);
  if (fromMs >= toMs) throw new ConfigError('cannot backtest: --from is not before --to', { path: '--from' });
  const days = Number(options.warmupDays ?? '30');
  if (!(days >= 0 && days <= 3650))
    throw new ConfigError(
      `cannot backtest: --warmup-days ${options.warmupDays ?? ''} is not a number of days`,
      {
        path: '--warmup-days',
      },
    );
  return { fromMs, toMs, warmupFromMs: Math.max(0, fromMs - days * DAY_MS), tenant: options.tenant };
}

/** Whether the month has this day: 31 February would be taken for a day in March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** A date or time (ISO 8601, UTC where no zone is given), or how long ago: 90m, 12h, 7d. */
function timeOf(text: string, option: string, nowMs: number): number {
  const ago = /^(\d{1,5})([mhd])$/.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * (UNITS_MS[ago[2] ?? 'd'] ?? 0);
  const date = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:?\d{2})?)?$/.exec(text);
  const zoned = date?.[1] !== undefined && date[2] === undefined ? `${text}Z` : text;
  const ms = date === null || !isDay(text.slice(0, 10)) ? Number.NaN : Date.parse(zoned);
  if (Number.isNaN(ms))
    throw new ConfigError(`cannot read ${option} ${text}: neither a date nor an age such as 7d`, {
      path: option,
    });
  return ms;
}
