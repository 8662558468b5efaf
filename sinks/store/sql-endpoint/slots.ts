import { refusals } from './exceptions.ts';

/** A counting gate with a bounded waiting line. */
export interface Slots {
  /**
   * Resolves with the function that gives the slot back, to be called once.
   * @throws SqlException 202 when the line is full, 394 when `signal` fires first.
   */
  acquire(signal: AbortSignal): Promise<() => void>;
}

export function createSlots(slotCount: number, waitingMaxCount: number): Slots {
  let free = slotCount;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const once = () => {
    let given = false;
    return () => {
      if (!given) release();
      given = true;
    };
  };
  return {
    async acquire(signal) {
      if (signal.aborted) throw refusals.cancelled();
      if (free > 0) {
        free -= 1;
        return once();
      }
      if (waiting.length >= waitingMaxCount) {
        throw refusals.tooMany(
          `Too many simultaneous queries: ${slotCount} running, ${waiting.length} waiting.`,
        );
      }
      await new Promise<void>((resolve, reject) => {
        const granted = () => {
          signal.removeEventListener('abort', abandoned);
          resolve();
        };
        const abandoned = () => {
          waiting.splice(waiting.indexOf(granted), 1);
          reject(refusals.cancelled());
        };
        waiting.push(granted);
        signal.addEventListener('abort', abandoned, { once: true });
      });
      return once();
    },
  };
}
