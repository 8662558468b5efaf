/** The wall clock, injected so that tests need no sleeps and pure stages see no time at all. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** Nanoseconds since the Unix epoch as OTLP JSON writes them: a decimal string. */
export function unixNano(ms: number): string {
  return `${Math.trunc(ms)}000000`;
}
