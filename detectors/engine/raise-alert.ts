import type { Alert } from '../../schemas/alert.ts';
import type { DetectEvent, Detector, Finding } from '../detector.ts';
import { suppress } from '../rules/suppressions.ts';
import { buildAlert } from './alert-build.ts';
import type { LiveTenant, SessionRecord } from './engine-state.ts';
import { enterIncident } from './incident-work.ts';
import { dropOldest } from './observe.ts';
import type { PoliciesInForce } from './policies-in-force.ts';

const maxAlerted = 64;

export interface AlertRaiser {
  /** The alert of a finding; `undefined` when the same was told in the session a short time ago. */
  raise(
    detector: Detector,
    finding: Finding,
    detected: DetectEvent,
    tenant: LiveTenant,
    session: SessionRecord,
  ): Alert | undefined;
}

/** Makes alerts of findings and enters them into incidents. */
export function createAlertRaiser(
  policies: PoliciesInForce,
  repeatAfterMs: number,
  onSessionChanged: (session: SessionRecord) => void,
): AlertRaiser {
  /** An alert on trial or silenced is recorded beside what people work on: it is of no incident and holds nothing back. */
  function inIncident(
    alert: Alert,
    holds: boolean,
    detected: DetectEvent,
    tenant: LiveTenant,
    session: SessionRecord,
  ): Alert {
    const digests = policies.digests();
    const told = suppress(alert, policies.suppressions(), detected.timeMs);
    const judged = Object.keys(digests).length === 0 ? told : { ...told, policy_digests: digests };
    if (judged.mode !== undefined) return judged;
    const entered = enterIncident(tenant, session, judged, detected, holds);
    if (entered.changed !== undefined) onSessionChanged(entered.changed);
    return entered.alert;
  }

  return {
    raise(detector, finding, detected, tenant, session) {
      const key = `${finding.detector?.id ?? detector.id}\n${finding.dedupKey}`;
      if (isRepeat(session, key, detected.timeMs, repeatAfterMs)) return undefined;
      const alert = buildAlert(detector, finding, detected, session.key);
      return inIncident(alert, finding.holds !== false, detected, tenant, session);
    },
  };
}

function isRepeat(session: SessionRecord, key: string, timeMs: number, repeatAfterMs: number): boolean {
  const alerted = (session.alerted ??= new Map<string, number>());
  const beforeMs = alerted.get(key);
  if (beforeMs !== undefined && timeMs - beforeMs < repeatAfterMs) return true;
  alerted.delete(key);
  alerted.set(key, timeMs);
  if (alerted.size > maxAlerted) dropOldest(alerted.keys(), alerted);
  return false;
}
