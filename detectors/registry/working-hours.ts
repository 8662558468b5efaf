import type { WorkingHours } from '../../schemas/registry.ts';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_MIN = 24 * 60;
const WEEK_MIN = 7 * DAY_MIN;
const MINUTE_MS = 60_000;
/** The epoch was a Thursday. */
const EPOCH_MIN = 3 * DAY_MIN;

/** Whether a time is within one of the hours; any time is where none are given. Offsets are fixed: no daylight saving. */
export function worksWithin(hours: readonly WorkingHours[] | undefined): (timeMs: number) => boolean {
  if (hours === undefined) return () => true;
  const spans = hours.flatMap(spansOf);
  return (timeMs) => {
    const minute = mod(Math.floor(timeMs / MINUTE_MS) + EPOCH_MIN, WEEK_MIN);
    return spans.some(({ from, length }) => mod(minute - from, WEEK_MIN) < length);
  };
}

/** In minutes of the week from Monday 00:00 UTC; may run past its end. */
function spansOf({ days = 'mon-sun', from, to, utc_offset = '+00:00' }: WorkingHours) {
  const sign = utc_offset.startsWith('-') ? -1 : 1;
  const offset = sign * minutesOf(utc_offset.slice(1));
  const start = minutesOf(from);
  const length = minutesOf(to) - start;
  return daysOf(days).map((day) => ({
    from: mod(day * DAY_MIN + start - offset, WEEK_MIN),
    length: length > 0 ? length : length + DAY_MIN,
  }));
}

function minutesOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours * 60 + minutes;
}

/** `fri-mon` goes over the end of the week. */
function daysOf(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map((day) => DAYS.indexOf(day));
    return Array.from({ length: mod(last - first, 7) + 1 }, (_, index) => mod(first + index, 7));
  });
}

const mod = (value: number, base: number): number => ((value % base) + base) % base;
