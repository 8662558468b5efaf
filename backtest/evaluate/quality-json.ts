import type { Interval } from './bootstrap.ts';
import type { IncidentQuality, Quality } from './quality.ts';
import { FIGURES } from './quality-text.ts';

/** The figures for machines: names as in every JSON of the product; names of goals stay as labels have them. */
export function qualityJson({ sessions, auc, at, fired }: Quality): object {
  return {
    sessions,
    auc,
    at: at.map((point) => ({
      fpr_max: point.fprMax,
      threshold: point.threshold,
      recall: point.recall,
      recall_by_goal: point.recallByGoal,
      resisted: point.resisted,
      found: point.found,
      found_in_time: point.foundInTime,
    })),
    fired: {
      recall: fired.recall,
      fpr: fired.fpr,
      resisted: fired.resisted,
      recall_by_goal: fired.recallByGoal,
      found: fired.found,
      found_in_time: fired.foundInTime,
    },
  };
}

/** Intervals of `FIGURES`, each under the name of its figure. */
export function intervalsJson(intervals: readonly Interval[]): object[] {
  return intervals.map((interval, index) => ({ figure: FIGURES[index]?.[0], ...interval }));
}

export function incidentsJson(incidents: readonly IncidentQuality[]): object[] {
  return incidents.map(({ incident, shouldAlert, sessions, alerted }) => ({
    ...{ incident, should_alert: shouldAlert, sessions, alerted },
  }));
}
