/**
 * Full-jitter exponential back-off: attempt n waits a random time in [0, min(cap, base * 2^n)]. The random source is
 * an argument so that tests decide.
 */
export function backoffMs(
  attempt: number,
  bounds: { readonly base_ms: number; readonly cap_ms: number },
  random: () => number,
): number {
  return Math.floor(random() * Math.min(bounds.cap_ms, bounds.base_ms * 2 ** Math.min(attempt, 30)));
}

/** Resolves after the time or at once when the signal aborts; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
