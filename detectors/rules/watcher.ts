import type { DetectEvent, Detector } from '../detector.ts';

/** Raises nothing; shows each event as the detectors beside it see it. */
export function watcher(see: (detected: DetectEvent) => void): Detector {
  return {
    id: 'watcher',
    version: 1,
    newTenantState: () => undefined,
    newSessionState: () => undefined,
    step: see,
  };
}
