import type { DetectConfig } from '../schemas/config.ts';
import type { Detector } from './detector.ts';
import { exfilSpike } from './exfil-spike.ts';
import { loop } from './loop.ts';
import { novelChain } from './novel-chain.ts';
import { receiptGap } from './receipt-gap.ts';
import { scopeDrift } from './scope-drift.ts';

/** The enabled detectors, in the order in which their alerts come. */
export function builtInDetectors(config: DetectConfig): Detector[] {
  const detectors: Detector[] = [];
  if (config.novel_chain.enabled) detectors.push(novelChain(config.novel_chain));
  if (config.exfil.enabled) detectors.push(exfilSpike(config.exfil));
  if (config.scope_drift.enabled) detectors.push(scopeDrift(config.scope_drift));
  if (config.loop.enabled) detectors.push(loop(config.loop));
  if (config.receipt_gap.enabled) detectors.push(receiptGap(config.receipt_gap));
  return detectors;
}
