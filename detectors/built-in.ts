import type { DetectConfig } from '../schemas/config.ts';
import { accessDetectors } from './access-detectors.ts';
import { contentDetectors } from './content-detectors.ts';
import type { Detector, ScoreProbe } from './detector.ts';
import { exfilSpike } from './exfil-spike.ts';
import { loop } from './loop.ts';
import { novelChain } from './novel-chain.ts';
import { operationsDetectors } from './operations-detectors.ts';
import { receiptGap } from './receipt-gap.ts';
import { scopeDrift } from './scope-drift.ts';

/** The enabled detectors, in the order in which their alerts come. */
export function builtInDetectors(config: DetectConfig, onScore?: ScoreProbe): Detector[] {
  const detectors: Detector[] = [];
  if (config.novel_chain.enabled) detectors.push(novelChain(config.novel_chain, onScore));
  if (config.exfil.enabled) detectors.push(exfilSpike(config.exfil));
  if (config.scope_drift.enabled) detectors.push(scopeDrift(config.scope_drift));
  if (config.loop.enabled) detectors.push(loop(config.loop));
  if (config.receipt_gap.enabled) detectors.push(receiptGap(config.receipt_gap));
  detectors.push(...accessDetectors(config));
  detectors.push(...operationsDetectors(config));
  detectors.push(...contentDetectors(config));
  return detectors;
}
