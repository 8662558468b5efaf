import type { IncidentChange } from '../../schemas/incident.ts';
import type { HeldSession, SessionRecord, TenantRecord } from './engine-state.ts';
import { weightOf } from './weight.ts';

/** What was said of an incident means for its sessions: to be learned from, never to be, or not known yet. */
export type Verdict = 'release' | 'drop' | 'undecided';

const maxHeld = 32;
/** Of all held sessions together; one of some dozen calls is a few thousand. */
const maxHeldWeight = 512 * 1024;
const heldForMs = 30 * 24 * 3_600_000;
const maxIncidentsOfSession = 16;
/** Stands for the incidents beyond the bound: nobody can dismiss it, so the session is never learned from. */
const beyondBound = 'beyond bound';

/** An alert of the incident is about the open session: nothing is learned from it before somebody has judged the alert. */
export function quarantine(session: SessionRecord, incidentId: string): void {
  session.quarantined = true;
  suspect(session.incidents, incidentId);
}

/** As `quarantine`, of sessions with the key that wait already. */
export function quarantineHeld({ held }: TenantRecord, key: string, incidentId: string): void {
  for (const session of held) if (session.key === key) suspect(session.incidents, incidentId);
}

function suspect(incidents: Map<string, Verdict>, incidentId: string): void {
  const verdict = incidents.get(incidentId);
  if (verdict === 'release') incidents.set(incidentId, 'undecided');
  if (verdict !== undefined) return;
  if (incidents.size < maxIncidentsOfSession) incidents.set(incidentId, 'undecided');
  else incidents.set(beyondBound, 'drop');
}

/**
 * Keeps what a closed session under an alert would teach, until somebody has judged its alerts; not when one was
 * confirmed. Gives how many sessions nobody judged in time and that had to go.
 */
export function holdSession(
  { held, streamMs }: TenantRecord,
  { key, incidents }: SessionRecord,
  states: unknown[],
): number {
  if ([...incidents.values()].includes('drop')) return 0;
  held.push({ key, incidents, closedMs: streamMs, weight: weightOf(states), states });
  let heldWeight = held.reduce((sum, { weight }) => sum + weight, 0);
  let goneCount = 0;
  for (let oldest = held[0]; oldest !== undefined; oldest = held[0]) {
    const isTooMuch = held.length > maxHeld || (heldWeight > maxHeldWeight && held.length > 1);
    if (!isTooMuch && streamMs - oldest.closedMs <= heldForMs) break;
    held.shift();
    heldWeight -= oldest.weight;
    goneCount += 1;
  }
  return goneCount;
}

/** `undefined` where the change holds no disposition. */
export function verdictOf({ disposition }: IncidentChange): Verdict | undefined {
  switch (disposition) {
    case 'false_positive':
    case 'benign_true_positive':
      return 'release';
    case 'true_positive':
      return 'drop';
    case 'undetermined':
      return 'undecided';
    case undefined:
      return undefined;
  }
}

/**
 * Applies the verdict to closed sessions and gives those to learn from now: a session under several incidents only when all
 * of them are dismissed. What was dropped or given is gone, whatever is said of it later.
 */
export function judgeHeld({ held }: TenantRecord, incidentId: string, verdict: Verdict): HeldSession[] {
  const released: HeldSession[] = [];
  for (const session of held.filter(({ incidents }) => incidents.has(incidentId))) {
    session.incidents.set(incidentId, verdict);
    const isReleased = allDismissed(session);
    if (!isReleased && verdict !== 'drop') continue;
    held.splice(held.indexOf(session), 1);
    if (isReleased) released.push(session);
  }
  return released;
}

/**
 * Applies the verdict to an open session: what counts is the last one before it closes. An alert raised after a release
 * quarantines it again. False where the session has nothing to do with the incident.
 */
export function judgeOpen(session: SessionRecord, incidentId: string, verdict: Verdict): boolean {
  if (!session.incidents.has(incidentId)) return false;
  session.incidents.set(incidentId, verdict);
  session.quarantined = !allDismissed(session);
  return true;
}

function allDismissed({ incidents }: Pick<HeldSession, 'incidents'>): boolean {
  return [...incidents.values()].every((verdict) => verdict === 'release');
}
