import { isoTime } from '../entry-facts.ts';
import { escaped, type Html } from './html.ts';

/** A time in UTC that stays on one line. */
export const timeText = (ms: number): Html => escaped`<time>${isoTime(ms)}</time>`;

/** The same on two lines, for narrow columns. */
export function timeLines(ms: number): Html {
  const iso = isoTime(ms);
  return iso.includes('T')
    ? escaped`<time>${iso.slice(0, 10)}<br />${iso.slice(11)}</time>`
    : escaped`<time>${iso}</time>`;
}
