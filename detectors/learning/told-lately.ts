import { isNews, type ToldTimes } from '../counters/told-times.ts';

/** When each matter was last told, over all sessions of a tenant; bounded, the longest untold goes first. */
export type ToldLately = ToldTimes;

const maxMatters = 512;

/** Notes the matter; false when it was told less than `againMs` before. */
export function tellOnce(told: ToldLately, matter: string, timeMs: number, againMs: number): boolean {
  return isNews(told, matter, timeMs, againMs, maxMatters);
}
