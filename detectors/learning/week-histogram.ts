/** How many calls fell into each hour of the week (0 = Monday 00:00 UTC), halved with every month of event time. */
export interface WeekHistogram {
  total: number;
  readonly hours: number[];
  /** Different days with calls, at most `maxDays`. */
  days: number;
  lastDay: number;
  firstDay: number;
  month: number;
}

const hoursPerWeek = 168;
const hourMs = 3_600_000;
const dayHours = 24;
const halvingDays = 30;
const maxDays = 10_000;
/** From here on every weekday has been seen twice: what happens on which day can be told. */
const weeklyDays = 14;

export function newWeekHistogram(): WeekHistogram {
  return { total: 0, hours: [], days: 0, lastDay: -1, firstDay: -1, month: -1 };
}

/** Hours since the epoch. */
export function hourNumber(timeMs: number): number {
  return Math.floor(timeMs / hourMs);
}

export function hourOfWeek(hour: number): number {
  // The epoch was a Thursday.
  return (hour + 3 * dayHours) % hoursPerWeek;
}

export function addCalls(histogram: WeekHistogram, hour: number, calls: number): void {
  const day = Math.floor(hour / dayHours);
  const month = Math.floor(day / halvingDays);
  if (histogram.month >= 0 && month > histogram.month)
    for (let from = histogram.month; from < Math.min(month, histogram.month + 30); from += 1)
      halve(histogram);
  histogram.month = Math.max(histogram.month, month);
  if (day > histogram.lastDay) {
    if (histogram.firstDay < 0) histogram.firstDay = day;
    histogram.days = Math.min(maxDays, histogram.days + 1);
    histogram.lastDay = day;
  }
  if (histogram.hours.length === 0) for (let at = 0; at < hoursPerWeek; at += 1) histogram.hours.push(0);
  const at = hourOfWeek(hour);
  histogram.hours[at] = (histogram.hours[at] ?? 0) + calls;
  histogram.total += calls;
}

function halve(histogram: WeekHistogram): void {
  histogram.total = 0;
  for (let at = 0; at < histogram.hours.length; at += 1) {
    histogram.hours[at] = Math.floor((histogram.hours[at] ?? 0) / 2);
    histogram.total += histogram.hours[at] ?? 0;
  }
}

/**
 * Share of calls at this hour, its neighbours counting half: of the hour of the week, or, where that is more, of the same hour
 * on other weekdays or on the other day of the weekend. Young histories, which have not seen each weekday twice, are asked for
 * the hour of the day only.
 */
export function shareAt(histogram: WeekHistogram, hour: number): number {
  const { hours, total, firstDay, lastDay } = histogram;
  if (total === 0) return 0;
  const at = hourOfWeek(hour);
  const weekday = Math.floor(at / dayHours);
  const ofDay = at % dayHours;
  const isYoung = lastDay - firstDay < weeklyDays;
  const [from, to] = isYoung ? [0, 7] : weekday < 5 ? [0, 5] : [5, 7];
  let sameHour = 0;
  for (let day = from; day < to; day += 1) sameHour += smoothed(hours, day * dayHours + ofDay);
  const mean = sameHour / (to - from);
  // In quarters of a call; a day's share of a week, so that young and old histories are measured alike.
  return Math.max(mean, isYoung ? 0 : smoothed(hours, at)) / (4 * total);
}

function smoothed(hours: readonly number[], at: number): number {
  const before = hours[(at + hoursPerWeek - 1) % hoursPerWeek] ?? 0;
  const after = hours[(at + 1) % hoursPerWeek] ?? 0;
  return 2 * (hours[at] ?? 0) + before + after;
}
