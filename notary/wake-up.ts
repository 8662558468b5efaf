import { sleep } from '../runtime/backoff.ts';

/** A wait that can be cut short. */
export interface WakeUp {
  /** Resolves after the time, at a call of `wake`, or when the signal aborts. */
  wait(ms: number): Promise<void>;
  /** Ends the wait, or the next one when none is going on. */
  readonly wake: () => void;
}

export function createWakeUp(signal: AbortSignal): WakeUp {
  let pending = false;
  let current: AbortController | undefined;
  return {
    async wait(ms) {
      if (!pending && !signal.aborted) {
        current = new AbortController();
        await sleep(ms, AbortSignal.any([signal, current.signal]));
        current = undefined;
      }
      pending = false;
    },
    wake() {
      pending = true;
      current?.abort();
    },
  };
}
