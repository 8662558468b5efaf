import type { DetectConfig } from '../schemas/config.ts';
import { allowedSet } from './allowed-set.ts';
import { authBurst } from './auth-burst.ts';
import { denialProbing } from './denial-probing.ts';
import type { Detector } from './detector.ts';
import { firstSeen } from './first-seen.ts';
import { tokenMisuse } from './token-misuse.ts';
import { unapprovedPrivilege } from './unapproved-privilege.ts';
import { unregistered } from './unregistered.ts';
import { unusualHours } from './unusual-hours.ts';

/** The enabled detectors of access and identity. */
export function accessDetectors(config: DetectConfig): Detector[] {
  const detectors: Detector[] = [];
  if (config.allowed_set.enabled) detectors.push(allowedSet(config.allowed_set));
  if (config.auth_burst.enabled) detectors.push(authBurst(config.auth_burst));
  if (config.denial_probing.enabled) detectors.push(denialProbing(config.denial_probing));
  if (config.first_seen.enabled) detectors.push(firstSeen(config.first_seen));
  if (config.token_misuse.enabled) detectors.push(tokenMisuse(config.token_misuse));
  if (config.unapproved_privilege.enabled) detectors.push(unapprovedPrivilege(config.unapproved_privilege));
  if (config.unregistered.enabled) detectors.push(unregistered(config.unregistered));
  if (config.unusual_hours.enabled) detectors.push(unusualHours(config.unusual_hours));
  return detectors;
}
