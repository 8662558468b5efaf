import type { DetectConfig } from '../schemas/config.ts';
import { auditBlindness } from './audit-blindness.ts';
import { budget } from './budget.ts';
import { bulkChange } from './bulk-change.ts';
import { configDrift } from './config-drift.ts';
import type { Detector } from './detector.ts';
import { duplicateMutation } from './duplicate-mutation.ts';
import { errorRate } from './error-rate.ts';
import { health } from './health.ts';
import { localTransport } from './local-transport.ts';
import { rateLimit } from './rate-limit.ts';
import { supplyChain } from './supply-chain.ts';
import { volume } from './volume.ts';

/** The enabled detectors of volume, operations and the health of the audit, in the order in which their alerts come. */
export function operationsDetectors(config: DetectConfig): Detector[] {
  const detectors: Detector[] = [];
  if (config.volume.enabled) detectors.push(volume(config.volume));
  if (config.error_rate.enabled) detectors.push(errorRate(config.error_rate));
  if (config.rate_limit.enabled) detectors.push(rateLimit(config.rate_limit));
  if (config.bulk_change.enabled) detectors.push(bulkChange(config.bulk_change));
  if (config.duplicate_mutation.enabled) detectors.push(duplicateMutation(config.duplicate_mutation));
  if (config.budget.enabled) detectors.push(budget(config.budget));
  if (config.supply_chain.enabled) detectors.push(supplyChain(config.supply_chain));
  if (config.config_drift.enabled) detectors.push(configDrift());
  if (config.health.enabled) detectors.push(health(config.health));
  if (config.audit_blindness.enabled) detectors.push(auditBlindness(config.audit_blindness));
  if (config.local_transport.enabled) detectors.push(localTransport());
  return detectors;
}
