/** `YYYY-MM-DD` of days since the epoch; the store's `day` column is the UTC date. */
export function formatDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}
