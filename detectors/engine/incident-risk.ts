import type { Severity } from '../../schemas/alert.ts';

/** What the risk of an incident is made of. */
export interface RiskFacts {
  alertCount: number;
  /** Weight of the worst alert of each detector that spoke, by detector id; bounded. */
  readonly weights: Map<string, number>;
  /** One of its calls changed, ran or sent something, and nobody refused it. */
  consequence: boolean;
}

const maxDetectors = 16;
const weightOf: Readonly<Record<Severity, number>> = { info: 2, low: 10, medium: 35, high: 60, critical: 85 };
const consequencePoints = 10;
const maxRepeatPoints = 10;

/** Takes one more alert into the facts. */
export function addToRisk(
  facts: RiskFacts,
  alert: { readonly detectorId: string; readonly severity: Severity; readonly consequence: boolean },
): void {
  facts.alertCount += 1;
  if (alert.consequence) facts.consequence = true;
  const before = facts.weights.get(alert.detectorId);
  if (before === undefined && facts.weights.size >= maxDetectors) return;
  facts.weights.set(alert.detectorId, Math.max(before ?? 0, weightOf[alert.severity]));
}

/**
 * Risk in [0, 100], in whole numbers: detectors that agree take away of what is missing to 100 by the weight of their worst
 * alert each, ten points when something was really done, and one for each alert beyond one of each detector, at most ten.
 */
export function riskOf({ alertCount, weights, consequence }: RiskFacts): number {
  let missing = 100;
  // The order of arrival must not change what rounding takes away.
  for (const weight of [...weights.values()].sort((a, b) => b - a))
    missing = Math.ceil((missing * (100 - weight)) / 100);
  const repeats = Math.min(maxRepeatPoints, Math.max(0, alertCount - weights.size));
  return Math.min(100, 100 - missing + (consequence ? consequencePoints : 0) + repeats);
}
