import type { Severity } from '../schemas/alert.ts';

/** Scores of findings that judge by rule: nothing was measured, so the severity says it. */
export const ruleScore: Readonly<Record<Severity, number>> = {
  info: 0.2,
  low: 0.4,
  medium: 0.7,
  high: 0.9,
  critical: 1,
};
