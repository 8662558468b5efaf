import type { DetectConfig } from '../schemas/config.ts';
import type { Detector } from './detector.ts';
import { injectionShape } from './injection-shape.ts';
import { leakyError } from './leaky-error.ts';
import { secretLeak } from './secret-leak.ts';
import { ssrf } from './ssrf.ts';
import { toolChange } from './tool-change.ts';
import { toolShadowing } from './tool-shadowing.ts';
import { toxicFlow } from './toxic-flow.ts';
import { unusualParameters } from './unusual-parameters.ts';
import { zoneCrossing } from './zone-crossing.ts';

/** The enabled detectors of what calls hold, what servers offer and where data goes. */
export function contentDetectors(config: DetectConfig): Detector[] {
  const detectors: Detector[] = [];
  if (config.unusual_parameters.enabled) detectors.push(unusualParameters(config.unusual_parameters));
  if (config.tool_change.enabled) detectors.push(toolChange(config.tool_change));
  if (config.tool_shadowing.enabled) detectors.push(toolShadowing(config.tool_shadowing));
  if (config.zone_crossing.enabled) detectors.push(zoneCrossing(config.zone_crossing));
  if (config.ssrf.enabled) detectors.push(ssrf(config.ssrf));
  if (config.injection_shape.enabled) detectors.push(injectionShape(config.injection_shape));
  if (config.secret_leak.enabled) detectors.push(secretLeak(config.secret_leak));
  if (config.toxic_flow.enabled) detectors.push(toxicFlow(config.toxic_flow));
  if (config.leaky_error.enabled) detectors.push(leakyError(config.leaky_error));
  return detectors;
}
