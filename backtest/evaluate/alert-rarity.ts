import type { Alert } from '../../schemas/alert.ts';

/** How rare an alert of a detector is among a tenant's sessions so far. */
export interface AlertRarity {
  /** A session of the tenant was seen. */
  seen(tenant: string, session: string): void;
  /** In [0, 1): the share of the tenant's other sessions in which the detector raised nothing. */
  of(alert: Alert, session: string): number;
}

/**
 * Scores of different detectors do not compare: one counts bits, another is a rule that is right or wrong. What compares is how
 * often each raises an alert where nothing else is known: a rule that fires in every second session says little, one that never
 * fired says much.
 */
export function createAlertRarity(): AlertRarity {
  const sessions = new Map<string, Set<string>>();
  const alerted = new Map<string, Set<string>>();

  return {
    seen: (tenant, session) => void setIn(sessions, tenant).add(session),
    of({ tenant, detector }, session) {
      const earlier = setIn(alerted, `${tenant}\n${detector.id}`);
      const others = setIn(sessions, tenant).size - 1;
      const rare = 1 - (earlier.size - (earlier.has(session) ? 1 : 0) + 1) / (Math.max(0, others) + 2);
      earlier.add(session);
      return Math.max(0, rare);
    },
  };
}

function setIn(sets: Map<string, Set<string>>, key: string): Set<string> {
  const known = sets.get(key);
  if (known !== undefined) return known;
  const fresh = new Set<string>();
  sets.set(key, fresh);
  return fresh;
}
