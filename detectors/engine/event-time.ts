const dayMs = 24 * 3_600_000;

/**
 * The time detectors work with: the sender's, but never later than the append time and never more than 24 hours
 * before it (a tap may deliver from its spool that late). So neither a clock of 1970 nor one of 2200 moves a window.
 */
export function clampTimeMs(timeUnixNano: string, appendTimeMs: number): number {
  const eventMs = Number(timeUnixNano.slice(0, -6));
  return Math.max(Math.min(eventMs, appendTimeMs), appendTimeMs - dayMs);
}
