/**
 * Chance of at least `k` failures in `n` calls where `failed` of `calls` failed before. Beta-binomial: the fewer calls taught the
 * rate, the wider the tail. By recurrence, with the four operations only, which every machine rounds alike.
 */
export function failureTail(k: number, n: number, failed: number, calls: number): number {
  if (k <= 0) return 1;
  const a = failed + priorFailed;
  const b = calls - failed + priorCalls - priorFailed;
  let p = 1;
  for (let index = 0; index < n; index += 1) p *= (b + index) / (a + b + index);
  let tail = 0;
  for (let failures = 0; failures <= n; failures += 1) {
    if (failures >= k) tail += p;
    p *= ((n - failures) * (a + failures)) / ((failures + 1) * (b + n - failures - 1));
  }
  return Math.min(1, tail);
}

/** What is assumed of a tool nobody knows: 1 call in 20 fails. */
const priorFailed = 1;
const priorCalls = 20;
